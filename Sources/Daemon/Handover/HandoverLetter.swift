import Sockets

/// What a tapline writes to the one that it starts to take its place: which descriptor is what. A value.
///
/// Lines of `ROLE fd=NUMBER key=value…`, in a file in memory. Both may be of different versions: roles and keys that one of
/// them does not know are passed over.
struct HandoverLetter: Hashable, Sendable {
    /// What a listening socket serves.
    enum Role: String, Hashable, Sendable {
        case relay, admin
    }

    /// One listening socket.
    struct Item: Hashable, Sendable {
        var role: Role
        var descriptor: Int32
        /// The relay's name, or the name that the service manager knows it by; empty for the admin API.
        var label = ""
        /// The service manager has it open too.
        var isOfManager = false
        /// The identity of a Unix socket's file that is to be removed in the end.
        var file: String?
    }

    /// Which version of this letter it is.
    private static let heading = "tapline-handover 1"
    /// The longest letter that is read: a line has at most 160 bytes.
    static let longest = 8 << 20

    /// The descriptor that both talk over.
    var channel: Int32
    var items: [Item]

    /// The letter as text.
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

    /// A letter of these parts.
    init(channel: Int32, items: [Item]) {
        self.channel = channel
        self.items = items
    }

    /// Reads a letter; nil where it is none.
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

extension HandoverLetter.Item {
    /// A socket that goes along under this number.
    init(_ role: HandoverLetter.Role, _ socket: HandedSocket, descriptor: Int32) {
        // A name that the service manager gave may hold what would end the word; it is for messages only then.
        let isWord = !socket.label.contains { $0.isWhitespace }
        self.init(
            role: role, descriptor: descriptor, label: isWord ? socket.label : "unknown",
            isOfManager: socket.origin == .manager, file: socket.file?.identity)
    }
}
