import Admin

/// A line of the channel between a tapline and the one that takes over. A value.
///
/// `WORD key=value…`. The two may be of different versions: unknown words and keys are ignored.
enum HandoverLine: Hashable, Sendable {
    /// From the younger process: it accepts clients.
    case ready
    /// From the older process: it has stopped accepting, and the files of Unix sockets belong to the younger one.
    case yours
    /// From the older process, before `yours`: where the admin API of an older process answers while its connections
    /// finish. One line for each process that the sender knows, itself included.
    case predecessor(Predecessor)

    /// The longest line, bytes; a longer one is skipped.
    static let longest = 512

    /// The line as text, without its end.
    var text: String {
        switch self {
        case .ready: "ready"
        case .yours: "yours"
        case .predecessor(let predecessor):
            "predecessor pid=\(predecessor.id)"
                + (predecessor.access.map { " socket=\($0.name) token=\($0.token)" } ?? "")
        }
    }

    /// Reads a line; nil where it is unknown or incomplete.
    init?(parsing line: String) {
        let words = line.split(separator: " ")
        switch words.first {
        case "ready" where words.count == 1: self = .ready
        case "yours" where words.count == 1: self = .yours
        case "predecessor":
            let values = Self.values(of: words)
            guard let id = values["pid"].flatMap({ Int32($0) }), id > 0 else { return nil }
            var access: Predecessor.Access?
            if let name = values["socket"], let token = values["token"] {
                access = Predecessor.Access(name: String(name), token: String(token))
                if access == nil { return nil }
            }
            self = .predecessor(Predecessor(id: id, access: access))
        default: return nil
        }
    }

    /// The `key=value` words after the first word; of a repeated key the last.
    static func values(of words: [Substring]) -> [Substring: Substring] {
        var values: [Substring: Substring] = [:]
        for word in words.dropFirst() {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { values[parts[0]] = parts[1] }
        }
        return values
    }
}
