import ArgumentParser
import Testing

@testable import tapline

/// The help texts as they are printed on a terminal of 80 columns.
struct HelpTests {
    /// The help of `tapline`, and of each command by its name.
    private static var helps: [(name: String, text: String)] {
        let types = CommandWords.commands.compactMap { CommandWords.command(named: $0) }
        let commands = types.map { type in
            (type._commandName, HelpText.fitted(Tapline.helpMessage(for: type, columns: 80), columns: 80))
        }
        return [("", HelpText.fitted(Tapline.helpMessage(columns: 80), columns: 80))] + commands
    }

    @Test func everyLine_fits80Columns() {
        #expect(Self.helps.count > 15)
        for (name, text) in Self.helps {
            for line in text.split(separator: "\n") { #expect(line.count <= 80, "tapline \(name): \(line)") }
        }
    }

    @Test func usage_breaksBetweenOptions() {
        #expect(
            HelpText.fitted("USAGE: tapline show <file> ... [--format <format>] [--json]\n\nOPTIONS:\n", columns: 40)
                == """
                USAGE: tapline show <file> ...
                                    [--format <format>]
                                    [--json]

                OPTIONS:

                """)
        #expect(HelpText.fitted("USAGE: tapline top", columns: 40) == "USAGE: tapline top")
    }

    /// Options without a default: without one of them nothing is chosen, shown, recorded or started.
    private static let withoutDefault: Set = [
        "forward --print", "forward --record", "forward --accept-proxy", "forward --send-proxy",
        "forward --upstream-proxy", "forward --exec", "run --config", "check --config", "show --connection",
        "show --relay", "show --filter", "show --closed-by", "show --reason", "show --flow", "connections --relay",
        "connections --filter", "tail --relay", "tail --connection", "forward --tls-cert", "forward --tls-key",
    ]

    @Test func everyOption_saysItsDefault() {
        var silent: Set<String> = []
        for (name, text) in Self.helps {
            // An entry begins with its names, two columns from the left, and has a description further right.
            let options = text.split(separator: "\nOPTIONS:\n").last.map { $0.prefix { $0 != "\u{0}" } } ?? ""
            let section = options.split(separator: "\n\n").first ?? ""
            let entries = section.replacing("\n  -", with: "\u{0}-").split(separator: "\u{0}")
            for entry in entries {
                let words = entry.split(whereSeparator: \.isWhitespace)
                guard let option = words.first(where: { $0.hasPrefix("--") }),
                    entry.split(separator: "\n")[0].contains(" <")
                else { continue }
                if !entry.lowercased().contains("default:") { silent.insert("\(name) \(option)") }
            }
        }
        #expect(silent == Self.withoutDefault)
    }

    @Test(
        arguments: [
            ("", ["TAPLINE_ADMIN ", "TAPLINE_ADMIN_TOKEN", "TAPLINE_CONFIG", "NO_COLOR", "FORCE_COLOR"]),
            ("forward", ["TAPLINE_ADMIN_TOKEN", "$XDG_RUNTIME_DIR"]),
            ("run", ["$TAPLINE_CONFIG", "$XDG_CONFIG_HOME", "TAPLINE_ADMIN_TOKEN"]),
            ("check", ["$TAPLINE_CONFIG", "$XDG_CONFIG_HOME"]),
            ("status", ["$TAPLINE_ADMIN,", "$TAPLINE_ADMIN_TOKEN", "$TAPLINE_CONFIG", "$XDG_CONFIG_HOME"]),
            ("kill", ["$TAPLINE_ADMIN,", "$TAPLINE_ADMIN_TOKEN", "$TAPLINE_CONFIG", "$XDG_CONFIG_HOME"]),
        ])
    func variables_areInTheHelp(command: String, variables: [String]) throws {
        let text = try #require(Self.helps.first { $0.name == command }).text
        for variable in variables { #expect(text.contains(variable)) }
    }

    @Test func forward_saysWhereItDiffersFromAConfiguration() throws {
        let text = try #require(Self.helps.first { $0.name == "forward" }).text.replacing("\n", with: " ")
        for part in ["timeouts.idle: 1h", "5m (timeouts.half_close: 55s)", "2s to finish (shutdown.drain: 25s)"] {
            #expect(text.contains(part))
        }
    }
}
