import ArgumentParser
import Configuration
import Glibc
import Sockets
import Terminal

/// The configuration file of `run` and `check`: an argument or an option.
struct ConfigurationOptions: ParsableArguments {
    @Argument(
        help: ArgumentHelp(
            "The configuration file. Default: $\(ConfigurationPlaces.variable), or the first of ./tapline.yaml, "
                + "$XDG_CONFIG_HOME/tapline/tapline.yaml (~/.config) and \(ConfigurationFile.defaultPath).",
            valueName: "path"),
        completion: .configurations)
    var path: String?

    @Option(
        name: [.customShort("c"), .long], help: ArgumentHelp("Same as <path>.", valueName: "path"),
        completion: .configurations)
    var config: String?

    func validate() throws {
        guard let path, let config, path != config else { return }
        let identity = InputFile.identity(of: path)
        guard identity == nil || identity != InputFile.identity(of: config) else { return }
        throw ValidationError("`\(path)` and --config `\(config)` are different files; give only one of them")
    }

    /// Whether the command line names a file.
    var isNamed: Bool { path != nil || config != nil }

    /// The path of the file.
    func find() throws -> String {
        if let named = path ?? config { return named }
        do {
            return try ConfigurationPlaces(ProcessEnvironment.all).first { access($0, F_OK) == 0 }
        } catch {
            throw CommandFailure(.configuration, "tapline: \(error)")
        }
    }
}
