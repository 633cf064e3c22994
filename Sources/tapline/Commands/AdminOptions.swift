import ArgumentParser
import Client
import Configuration
import Glibc
import Sockets
import Terminal

/// The options of every command that connects to a running tapline.
struct AdminOptions: ParsableArguments {
    @Option(
        name: [.customShort("a"), .long],
        help: ArgumentHelp(
            "Admin API address: HOST:PORT, PORT or unix:PATH. Default: $\(AdminTarget.variable), then admin.listen of the "
                + "configuration, then the socket of the running `forward`, then \(AdminSettings.defaultListen).",
            valueName: "address"))
    var admin: String?

    @Option(
        name: [.customShort("c"), .long],
        help: ArgumentHelp(
            "The configuration with the address. Default: $\(ConfigurationPlaces.variable), or the first with admin.listen of "
                + "./tapline.yaml (local addresses only), $XDG_CONFIG_HOME/tapline/tapline.yaml (~/.config) and "
                + "\(ConfigurationFile.defaultPath).",
            valueName: "path"), completion: .configurations)
    var config: String?

    @Option(
        help: ArgumentHelp(
            "A file with the admin API's token. Default: $\(AdminSettings.tokenVariable), then the configuration's.",
            valueName: "path"), completion: .file())
    var tokenFile: String?

    @Flag(name: [.customShort("j"), .long], help: "Print the admin API's own objects, one a line.")
    var json = false

    /// A client of the tapline that the options name. `asksForwards`: if several `forward` processes run, the error
    /// says what each of them forwards.
    func client(asksForwards: Bool = true) throws -> AdminClient {
        AdminClient(
            target: try AdminTarget.find(
                admin: admin, config: config, tokenFile: tokenFile,
                in: AdminTarget.Surroundings(
                    variable: ProcessEnvironment.value, variables: ProcessEnvironment.all,
                    directory: workingDirectory(), canRead: { access($0, R_OK) == 0 },
                    sockets: {
                        RuntimeFolder(variable: ProcessEnvironment.value(RuntimeFolder.variable))?.liveSockets() ?? []
                    },
                    choice: { asksForwards ? SocketChoice.failure($0) : CommandFailure(.usage, "") })))
    }
}
