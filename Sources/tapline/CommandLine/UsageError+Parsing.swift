import ArgumentParser
import Configuration
import Terminal

/// Usage errors of the whole command line, and of argument-parser.
extension UsageError {
    /// What other programs call our commands.
    private static let otherNames: [String: [String]] = [
        "capture": ["forward", "--record", "FILE", "SPEC"], "config": ["check", "PATH"], "daemon": ["run"],
        "dump": ["tail"], "explain": ["why"], "info": ["status"], "list": ["connections"],
        "listen": ["forward", "SPEC"],
        "log": ["tail"], "logs": ["tail"], "ls": ["connections"], "open": ["show", "FILE"],
        "proxy": ["forward", "SPEC"],
        "ps": ["connections"], "quit": ["shutdown"], "read": ["show", "FILE"],
        "relay": ["forward", "SPEC"], "serve": ["run"],
        "start": ["run"], "stats": ["status"], "stop": ["shutdown"], "test": ["check", "PATH"],
        "tunnel": ["forward", "SPEC"],
        "validate": ["check", "PATH"], "watch": ["top"],
    ]

    /// The error of a command line whose first word is no command; nil if there is none. It is checked before parsing:
    /// argument-parser would print the general help for `record --help`.
    init?(unknownCommand words: [String]) {
        guard let first = words.first, !first.hasPrefix("--"), first != "-h" else { return nil }
        if first == "help" {
            guard let name = words.dropFirst().first(where: { !$0.hasPrefix("-") }),
                !CommandWords.commands.contains(name)
            else { return nil }
            self.init(
                "\(Self.quoted(name)) is not a command",
                proposals: Self.proposal(for: name).map { [["help", $0.words[0]]] } ?? [])
            return
        }
        let isSSH = first == "-L" && words.count > 1
        guard isSSH || !first.hasPrefix("-"), !CommandWords.commands.contains(first) else { return nil }
        let forward = ["forward"] + (isSSH ? Array(words.dropFirst()) : words)
        let specs = forward.dropFirst().prefix { !$0.hasPrefix("-") }
        if isSSH || first.contains(":") || first.contains("=") || first.first?.isNumber == true {
            let directory = workingDirectory()
            let isRight = (try? ForwardSpec.relays(Array(specs), directory: directory)) != nil
            let proposal = ForwardProposal(for: Array(specs), directory: directory)
            let rest = forward.dropFirst(1 + specs.count)
            self.init(
                "\(Self.quoted(first)) is not a command",
                proposals: isRight ? [forward] : proposal?.alternatives.map { ["forward"] + $0 + rest } ?? [])
        } else {
            let proposal = Self.proposal(for: first).map { $0.isComplete ? $0.words : $0.words + words.dropFirst() }
            self.init("\(Self.quoted(first)) is not a command", proposals: proposal.map { [$0] } ?? [])
        }
    }

    /// The command line that an unknown command was probably meant to be. `isComplete`: it has its own arguments.
    private static func proposal(for name: String) -> (words: [String], isComplete: Bool)? {
        if let other = otherNames[name.lowercased()] { return (other, true) }
        return NearestKey.find(name, in: CommandWords.commands).map { ([$0], false) }
    }

    /// The error of a SPEC that begins with a minus sign; nil if there is none. It is checked before parsing:
    /// argument-parser would take its letters as short options, and print the help for an `h`.
    init?(negativePort words: [String]) {
        let isNegative = { (word: String) in
            word.hasPrefix("-") && word.dropFirst().first?.isNumber == true && word.contains(":")
        }
        guard words.first == "forward", let word = words.first(where: isNegative) else { return nil }
        self.init("\(Self.quoted(word)): a port is a number from 0 to 65535", command: "forward")
    }

    /// The error for one of argument-parser's: its sentence in our form, with a command line where the option is one of
    /// another program.
    init(_ error: any Error, words: [String]) {
        let command = words.first.flatMap { CommandWords.commands.contains($0) ? $0 : nil }
        if command == "forward", let foreign = ForeignOptions(Array(words.dropFirst())), foreign.explains(error) {
            self.init(foreign.message, proposals: foreign.proposals, command: command)
            return
        }
        if command == "kill", let filter = Self.filter(words) {
            self.init(
                "`kill` takes ids, and \(Self.quoted(filter[0])) is an option of `connections`, which lists the ids",
                proposals: [["connections"] + filter], command: command)
            return
        }
        let text = Tapline.message(for: error)
        // Of several mistakes a mistyped option is the one to report: it explains the others.
        let unknown = text.hasPrefix("Missing expected argument") ? Self.unknownOption(words) : nil
        self.init(unknown ?? Self.sentence(text), command: command)
    }

    /// The option on the command line of `kill` that chooses connections, with its value; nil if there is none.
    private static func filter(_ words: [String]) -> [String]? {
        let options = ["--relay", "-r", "--filter", "--closed"]
        guard
            let place = words.firstIndex(where: { word in options.contains { word == $0 || word.hasPrefix($0 + "=") } })
        else { return nil }
        let takesValue = words[place] != "--closed" && !words[place].contains("=")
        return [words[place]] + (takesValue ? words[place...].dropFirst().prefix(1) : [])
    }

    private static func unknownOption(_ words: [String]) -> String? {
        guard let type = CommandWords.command(named: words.first) else { return nil }
        // Each option begins a line of the help.
        let known = type.helpMessage(includeHidden: true, columns: 500).split(separator: "\n").flatMap { line in
            line.hasPrefix("  -") ? line.split(whereSeparator: { " ,".contains($0) }).filter { $0.hasPrefix("-") } : []
        }.map(String.init)
        let names = words.dropFirst().prefix { $0 != "--" }.compactMap { word in
            word.hasPrefix("--") ? String(word.prefix { $0 != "=" }) : nil
        }
        guard let name = names.first(where: { !known.contains($0) }) else { return nil }
        let nearest = NearestKey.find(name, in: known.filter { $0.hasPrefix("--") })
        return "unknown option \(quoted(name))" + (nearest.map { "; did you mean `\($0)`?" } ?? "")
    }

    /// `Unknown option '--recrod'. Did you mean '--record'?` as one sentence in our form.
    static func sentence(_ text: String) -> String {
        var text = text.replacing(". Did you mean", with: "; did you mean")
            .replacing(". Please provide one of", with: "; write one of")
            .replacing("' and '", with: "' or '")
        if text.hasPrefix("Missing expected argument '<SPEC> ...'") {
            return "no SPEC given; write PORT:HOST:HOSTPORT, such as 8080:example.com:80"
        }
        text = text.split(separator: "'", omittingEmptySubsequences: false).enumerated().reduce(into: "") {
            joined, part in
            // Only quotes around a word: an apostrophe has letters on both sides.
            let isApostrophe = joined.last?.isLetter == true && part.element.first?.isLetter == true
            joined += (part.offset == 0 ? "" : isApostrophe ? "'" : "`") + part.element
        }
        while text.last == "." { text.removeLast() }
        return text.prefix(1).lowercased() + text.dropFirst()
    }

    private static func quoted(_ word: String) -> String {
        "`\(word.count > 80 ? word.prefix(80) + "…" : word[...])`"
    }
}
