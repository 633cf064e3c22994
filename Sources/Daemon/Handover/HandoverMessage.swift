import Sockets
import Text

/// The message from a tapline to the process that takes over: the purpose of each inherited descriptor. A value.
///
/// Lines of `ROLE fd=NUMBER key=value…` in a memory file, and lines about the state that continues. The two may be of
/// different versions: unknown roles and keys are ignored.
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

    /// A recording that was started at run time, and continues in the process that takes over.
    struct Recording: Hashable, Sendable {
        /// The relay's name.
        var relay: String
        /// Its settings, as `RecordSettings.requestText`.
        var settings: String
    }

    private static let recordingWord = "recording"
    private static let stoppedRecordingWord = "stopped-recording"
    /// The first line, with the version.
    private static let heading = "tapline-handover 1"
    /// The longest message that is read: a socket's line has at most 160 bytes.
    static let longest = 8 << 20
    /// The longest settings of a recording that are read, bytes.
    static let longestSettings = 16 << 10

    /// The channel's descriptor.
    var channel: Int32
    var items: [Item]
    /// The number of the first connection, so that numbers do not start again; nil from a version that does not send it.
    var firstID: UInt64?
    var recordings: [Recording] = []
    /// Configured recordings that were stopped at run time, with the configured settings.
    var stoppedRecordings: [Recording] = []

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
        if let firstID { lines.append("ids first=\(firstID)") }
        for (word, list) in [(Self.recordingWord, recordings), (Self.stoppedRecordingWord, stoppedRecordings)] {
            for recording in list {
                lines.append(
                    "\(word) relay=\(recording.relay.percentEncoded) settings=\(recording.settings.percentEncoded)")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// A message.
    init(
        channel: Int32, items: [Item], firstID: UInt64? = nil, recordings: [Recording] = [],
        stoppedRecordings: [Recording] = []
    ) {
        self.stoppedRecordings = stoppedRecordings
        self.channel = channel
        self.items = items
        self.firstID = firstID
        self.recordings = recordings
    }

    /// Reads a message; nil where the text is none.
    init?(parsing text: String) {
        let lines = text.split(separator: "\n")
        guard lines.first.map(String.init) == Self.heading else { return nil }
        var channel: Int32?
        var items: [Item] = []
        var firstID: UInt64?
        var recordings: [Recording] = []
        var stopped: [Recording] = []
        for line in lines.dropFirst() {
            let words = line.split(separator: " ")
            let values = HandoverLine.values(of: words)
            if words.first == "ids" { firstID = values["first"].flatMap { UInt64($0) } }
            if let word = words.first, let recording = Recording(values) {
                if word == Self.recordingWord { recordings.append(recording) }
                if word == Self.stoppedRecordingWord { stopped.append(recording) }
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
        self.init(
            channel: channel, items: items, firstID: firstID, recordings: recordings, stoppedRecordings: stopped)
    }
}

extension HandoverMessage.Recording {
    /// Reads the values of a line; nil where one is missing or invalid.
    fileprivate init?(_ values: [Substring: Substring]) {
        guard let relay = values["relay"].flatMap({ PercentText.decode($0) }), !relay.isEmpty,
            let settings = values["settings"].flatMap({ PercentText.decode($0) }),
            settings.utf8.count <= HandoverMessage.longestSettings
        else { return nil }
        self.init(relay: relay, settings: settings)
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
