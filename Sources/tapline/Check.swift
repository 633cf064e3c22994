import ArgumentParser
import Configuration

/// `tapline check`: validates a configuration.
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Validate a configuration file.",
        discussion: """
            Ends with 0 when it is good. Otherwise with 78, and every mistake on a line of its own on standard error, \
            as path:line:column: message.
            """)

    @Argument(help: ArgumentHelp("The configuration file.", valueName: "path"))
    var path: String

    func run() throws {
        let configuration = try Configuration.load(path: path, environment: ProcessEnvironment.all)
        try writeToStandardOutput(Self.summary(of: configuration, path: path))
    }

    /// What a good configuration comes down to.
    static func summary(of configuration: Configuration, path: String) -> String {
        let count = configuration.relays.count
        var lines = ["\(path): OK, \(count) \(count == 1 ? "relay" : "relays")"]
        for relay in configuration.relays {
            let addresses = relay.listen.map(\.description).joined(separator: ", ")
            lines.append("  \(relay.name): \(addresses) -> \(relay.upstream)")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
