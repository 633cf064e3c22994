import ArgumentParser
import Configuration
import Sockets
import Terminal
import Text

/// `tapline check`: validates a configuration.
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Validate a configuration file.",
        discussion: """
            Ends with 0 when it is good. Otherwise with 78, and every mistake on a line of its own on standard error, \
            as path:line:column: message. The files that it includes are checked with it. - is standard input; relative \
            paths in it start at the working directory.
            """)

    @OptionGroup var file: ConfigurationOptions

    func run() throws {
        let environment = ProcessEnvironment.all
        let path = try file.find()
        let text =
            path == "-" ? try Self.standardInput() : try ConfigurationText(reading: path, environment: environment)
        let configuration = try Configuration.parse(text, environment: environment).configuration
        try writeToStandardOutput(
            Self.summary(of: configuration, path: text.path, includedFiles: text.includedPaths?.files.count))
    }

    /// The text on standard input, up to its end, or to where a configuration is too large.
    private static func standardInput() throws -> ConfigurationText {
        let input = InputFile.standardInput
        var bytes: [UInt8] = []
        while bytes.count <= Configuration.mostBytes {
            let more = try input.read(atMost: 64 << 10)
            if more.isEmpty { break }
            bytes += more
        }
        return ConfigurationText(path: "<stdin>", directory: workingDirectory(), bytes: bytes)
    }

    /// A summary of a valid configuration. `includedFiles`: the number of included files, nil without `include`.
    static func summary(of configuration: Configuration, path: String, includedFiles: Int? = nil) -> String {
        let included = includedFiles.map { " and \(Quantity.number(UInt64($0), "included file"))" } ?? ""
        let relays = Quantity.number(UInt64(configuration.relays.count), "relay")
        var lines = ["\(path)\(included): OK, \(relays)"]
        for relay in configuration.relays {
            let addresses = relay.listen.map(\.description).joined(separator: ", ")
            lines.append("  \(relay.name): \(addresses) -> \(relay.upstream)")
            guard let routing = relay.tlsRouting else { continue }
            for route in routing.routes { lines.append("    TLS \(route) -> \(route.upstream ?? relay.upstream)") }
            lines.append("    otherwise -> \(routing.otherwise == .refuse ? "refused" : "\(relay.upstream)")")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
