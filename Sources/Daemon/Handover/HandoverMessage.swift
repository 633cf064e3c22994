import Sockets

/// The message from a tapline to the process that takes over: the purpose of each inherited descriptor. A value.
///
/// Lines of `ROLE fd=NUMBER key=value…` in a memory file. The two may be of different versions: unknown roles and keys
/// are ignored.
struct HandoverMessage: Hashable, Sendable {
    /// The purpose of a listening socket.
    enum Role: String, Hashable, Sendable {
        case relay, admin
    }

    /// One listening socket.
    struct Item: Hashable, Sendable {
        var role: Role
        var descriptor: Int32
        /// The relay's name, or the service manager's name of the socket; empty for the admin API.
        var label = ""
        /// Whether the service manager holds the socket, too.
        var isOfManager = false
        /// The identity of a Unix socket's file that must be removed at the end.
        var file: String?
    }

    /// The first line, with the version.
    private static let heading = "tapline-handover 1"
    /// The longest message that is read: a line has at most 160 bytes.
    static let longest = 8 << 20

    /// The channel's descriptor.
    var channel: Int32
    var items: [Item]

    /// The message as text.
    var text: String {
        var lines = [Self.heading, "channel fd=\(channel)"]
        for item in items {
            var line = "\(item.role.rawValue) fd=\(item.descriptor)"
            if !item.label.isEmpty { line += " name=\(item.label)" }
            if item.isOfManager { line += " keeper=manager" }
            if let file = item.file { line += " file=\(file)" }
            lines.append(line)
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// A message.
    init(channel: Int32, items: [Item]) {
        self.channel = channel
        self.items = items
    }

    /// Reads a message; nil where the text is none.
    init?(parsing text: String) {
        let lines = text.split(separator: "\n")
        guard lines.first.map(String.init) == Self.heading else { return nil }
        var channel: Int32?
        var items: [Item] = []
        for line in lines.dropFirst() {
            let words = line.split(separator: " ")
            var values: [Substring: Substring] = [:]
            for word in words.dropFirst() {
                let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                if parts.count == 2 { values[parts[0]] = parts[1] }
            }
            guard let descriptor = values["fd"].flatMap({ Int32($0) }) else { continue }
            if words[0] == "channel" {
                channel = descriptor
            } else if let role = Role(rawValue: String(words[0])) {
                items.append(
                    Item(
                        role: role, descriptor: descriptor, label: String(values["name"] ?? ""),
                        isOfManager: values["keeper"] == "manager", file: values["file"].map { String($0) }))
            }
        }
        guard let channel else { return nil }
        self.init(channel: channel, items: items)
    }
}

extension HandoverMessage.Item {
    /// A socket that is inherited under this number.
    init(_ role: HandoverMessage.Role, _ socket: HandedSocket, descriptor: Int32) {
        // A service manager's name may contain spaces, which would end the word; the name is used in log messages only.
        let isWord = !socket.label.contains { $0.isWhitespace }
        self.init(
            role: role, descriptor: descriptor, label: isWord ? socket.label : "unknown",
            isOfManager: socket.origin == .manager, file: socket.file?.identity)
    }
}
