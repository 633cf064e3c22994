import ArgumentParser
import Text

/// The words of a command line, with common spellings of other tools replaced by ours. Pure.
enum CommandWords {
    /// The command line of this process.
    static var own: [String] { normalized(Array(CommandLine.arguments.dropFirst())) }

    /// The words that are parsed in place of these.
    static func normalized(_ words: [String]) -> [String] {
        switch words {
        case ["version"], ["-V"], ["-v"]: return ["--version"]
        default: break
        }
        guard words.first == "forward" else { return words }
        // `-L8080:host:80` in one word, as ssh takes it.
        return words.flatMap { $0.hasPrefix("-L") && $0.count > 2 ? ["-L", String($0.dropFirst(2))] : [$0] }
    }

    /// The command line of `forward` with other SPECs in the place of the first one; its options stay. Words that are not
    /// those of a command line of `forward` are replaced by one that has no options.
    static func replacing(_ specs: [String], with others: [String], in words: [String]) -> [String] {
        var wanted = specs[...]
        var replaced: [String] = []
        for word in words {
            if let next = wanted.first, next == word {
                if wanted.count == specs.count { replaced += others }
                wanted = wanted.dropFirst()
            } else if word != "-L" {
                replaced.append(word)
            }
        }
        return wanted.isEmpty && replaced.first == "forward" ? replaced : ["forward"] + others
    }

    /// A command line that can be pasted into a shell.
    static func shellText(_ words: [String]) -> String {
        (["tapline"] + words).map(ShellText.word).joined(separator: " ")
    }

    /// The names of all commands.
    static var commands: [String] { types.map { $0._commandName } + ["help"] }

    /// The command with a name; nil if there is none.
    static func command(named name: String?) -> (any ParsableCommand.Type)? {
        types.first { $0._commandName == name }
    }

    private static var types: [any ParsableCommand.Type] {
        let configuration = Tapline.configuration
        return configuration.subcommands + configuration.groupedSubcommands.flatMap(\.subcommands)
    }
}
