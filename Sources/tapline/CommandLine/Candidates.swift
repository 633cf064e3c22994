import ArgumentParser
import Client
import Show
import Terminal

/// A command that connects to a running Tapline.
protocol ClientCommand: ParsableCommand {
    /// The options with the address.
    var options: AdminOptions { get }
}

extension Connections: ClientCommand {}
extension Kill: ClientCommand {}
extension RecordCommand: ClientCommand {}
extension Tail: ClientCommand {}
extension Why: ClientCommand {}

/// What a shell offers for a word that depends on a running Tapline or on a recording. The tapline is the one that the
/// command line would connect to, with the token that it would send. Without an answer in time there are no candidates,
/// and never an error: the text would be in the middle of the command line.
enum Candidates {
    /// The most time for all answers, in milliseconds.
    private static let budget: Int64 = 300

    /// The names of the relays of the running tapline, or for `show` those in the recordings on the command line.
    static func relays(_ words: [String], _ index: Int, _: String) -> [String] {
        let command = command(words, index)
        if let show = command as? ShowCommand { return offered(RecordedNames(show.recordings, within: budget).relays) }
        return offered(client(command)?.relays(within: budget) ?? [])
    }

    /// The ids of the connections in the recordings on the command line, or else those of the running tapline: open
    /// ones, and for `why` also those that have ended.
    static func connections(_ words: [String], _ index: Int, _: String) -> [String] {
        let command = command(words, index)
        let recordings = (command as? ShowCommand)?.recordings ?? (command as? Why)?.recordings ?? []
        if !recordings.isEmpty { return offered(RecordedNames(recordings, within: budget).ids) }
        return offered(client(command)?.connections(withClosed: command is Why, within: budget) ?? [])
    }

    /// The command of a command line that is being completed; nil where it is wrong.
    private static func command(_ words: [String], _ index: Int) -> (any ParsableCommand)? {
        let line = CompletedLine(
            words, completing: index, splits: CompletionShell.requesting == .bash,
            home: ProcessEnvironment.value("HOME"))
        return line.flatMap { try? Tapline.parseAsRoot($0.words) }
    }

    private static func client(_ command: (any ParsableCommand)?) -> CompletionClient? {
        guard let options = (command as? any ClientCommand)?.options else { return nil }
        return (try? options.client(asksForwards: false)).map(CompletionClient.init)
    }

    /// The names that a relay or a connection can have. Others come from a forged file or a foreign server, and bash
    /// would run the command in a candidate such as `$(command)`.
    static func offered(_ names: [String]) -> [String] {
        names.filter { name in
            guard let first = name.first, first.isLetter || first.isNumber else { return false }
            return name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
        }
    }
}

extension CompletionKind {
    /// Configurations.
    static let configurations = CompletionKind.file(extensions: ["yaml", "yml"])
    /// Recordings. `CompletionScript` offers them for arguments that are recordings or ids, too.
    static let recordings = CompletionKind.file(extensions: CompletionScript.recordings)
    /// The names of relays.
    static let relays = CompletionKind.custom { Candidates.relays($0, $1, $2) }
    /// The ids of connections.
    static let connections = CompletionKind.custom { Candidates.connections($0, $1, $2) }
}
