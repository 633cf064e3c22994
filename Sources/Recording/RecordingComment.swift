internal import Text

/// A packet comment of Tapline about its connection, written to recordings and parsed back.
///
/// A comment is one line: `tapline: `, a phrase for people, then `key=value` pairs in the text form of `FieldLine`,
/// such as `tapline: connection opened id=7 relay=web upstream=example.com:80`. Keys without a value are omitted. A
/// value; any thread.
public struct RecordingComment: Hashable, Sendable {
    /// The event that a packet's comment describes.
    public enum Kind: String, CaseIterable, Hashable, Sendable {
        /// The client was accepted.
        case opened
        /// The upstream was connected.
        case connected
        /// The connection was open before its recording began; `bytesUp` and `bytesDown` had been relayed by then.
        case joined
        /// The connection continues from the previous file; `bytesUp` and `bytesDown` had been relayed by then.
        case continued
        /// The TLS handshake with `side` was complete before this packet; the bytes of the conversation are plaintext.
        case secured
        /// `droppedBytes` of this packet's flow, directly before it, are not in the recording.
        case gap
        /// The recording stops while the connection is open; `bytesUp` and `bytesDown` have been relayed.
        case stopped
        /// The connection ended.
        case ended
    }

    /// The event.
    public var kind: Kind
    /// The connection's ID, unique in the process that recorded it.
    public var id: UInt64
    /// The relay's name.
    public var relay: String?
    /// The encrypted leg that the packets belong to, `client` or `upstream`; nil: what is relayed, in plaintext.
    public var leg: String?
    /// The side with which a TLS session was established.
    public var side: String?
    /// Its version and cipher suite.
    public var tls: String?
    /// Its application protocol.
    public var application: String?
    /// The server name that its client has sent.
    public var serverName: String?
    /// The identity in its peer's certificate.
    public var peer: String?
    /// When its handshake began, microseconds after the client was accepted.
    public var beganMicroseconds: UInt64?
    /// How long its handshake took, microseconds.
    public var tookMicroseconds: UInt64?
    /// The client's real address; the packets of a Unix client have a substitute.
    public var client: String?
    /// The listener's bound address; the packets have the upstream's port.
    public var listener: String?
    /// The upstream as configured.
    public var upstream: String?
    /// The connected upstream address, or the last one tried.
    public var upstreamAddress: String?
    /// The end reason, from the closed list of reasons.
    public var reason: String?
    /// The side that ended the connection: `client`, `upstream` or `tapline`.
    public var closedBy: String?
    /// The C symbol of the system error that ended the connection.
    public var errno: String?
    /// Bytes delivered to the upstream since the connection began.
    public var bytesUp: UInt64?
    /// Bytes delivered to the client since the connection began.
    public var bytesDown: UInt64?
    /// Recorded bytes of both flows.
    public var recordedBytes: UInt64?
    /// Bytes not recorded: of both flows at the end, of the packet's own flow in a gap.
    public var droppedBytes: UInt64?
    /// The side that did not read when the connection ended: `client` or `upstream`.
    public var waitedFor: String?
    /// Bytes that waited for it.
    public var heldBytes: UInt64?
    /// Since it last took bytes, milliseconds.
    public var waitedMilliseconds: UInt64?
    /// How long the client was held until the upstream was up, milliseconds.
    public var clientHeldMilliseconds: UInt64?
    /// Attempts to connect the upstream.
    public var attempts: UInt64?

    /// A comment with only its kind and connection.
    public init(_ kind: Kind, id: UInt64) {
        self.kind = kind
        self.id = id
    }
}

// MARK: Writing

extension RecordingComment {
    private static let opening = "tapline: "

    /// The text of the comment, without an end of line.
    public var text: String {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends the text of the comment as UTF-8, without an end of line.
    public func append(to bytes: inout [UInt8]) {
        bytes.append(Self.opening)
        bytes.append(words)
        bytes.append(UInt8(ascii: " "))
        var line = FieldLine(.text, in: &bytes)
        line.add("id", number: id, to: &bytes)
        for (key, path) in Self.texts {
            if let value = self[keyPath: path] { line.add(key, value, to: &bytes) }
        }
        for (key, path) in Self.numbers {
            if let value = self[keyPath: path] { line.add(key, number: value, to: &bytes) }
        }
    }

    /// The phrase for people. It contains no equals sign, because the first word with one begins the pairs.
    private var words: String {
        let passed = "\(bytesUp ?? 0) bytes up and \(bytesDown ?? 0) bytes down"
        return switch kind {
        case .opened: "connection opened"
        case .connected: "connected to the upstream"
        case .joined: "recording starts in the middle of the connection, \(passed) passed before"
        case .continued: "continues from the file before, \(passed) so far"
        case .secured: "TLS established with the \(side ?? "peer")"
        case .gap: "\(droppedBytes ?? 0) bytes not recorded"
        case .stopped: "recording stops, the connection stays open, \(passed) so far"
        case .ended: "connection ended, \(reason ?? "for no known reason")"
        }
    }

    // Computed, because key paths are not Sendable.
    private static var texts: [(String, WritableKeyPath<RecordingComment, String?>)] {
        [
            ("relay", \.relay), ("leg", \.leg), ("client", \.client), ("listener", \.listener),
            ("upstream", \.upstream), ("upstream_address", \.upstreamAddress), ("reason", \.reason),
            ("closed_by", \.closedBy), ("errno", \.errno), ("waited_for", \.waitedFor), ("side", \.side),
            ("tls", \.tls), ("alpn", \.application), ("server_name", \.serverName), ("peer", \.peer),
        ]
    }

    private static var numbers: [(String, WritableKeyPath<RecordingComment, UInt64?>)] {
        [
            ("bytes_up", \.bytesUp), ("bytes_down", \.bytesDown), ("recorded_bytes", \.recordedBytes),
            ("dropped_bytes", \.droppedBytes), ("held_bytes", \.heldBytes), ("waited_ms", \.waitedMilliseconds),
            ("held_ms", \.clientHeldMilliseconds), ("attempts", \.attempts), ("began_us", \.beganMicroseconds),
            ("took_us", \.tookMicroseconds),
        ]
    }
}

// MARK: Reading

extension RecordingComment {
    /// Parses a comment; nil if it is not one of Tapline's.
    ///
    /// The text is untrusted. Unknown keys are ignored, so that an older reader accepts a newer writer's comments. A
    /// truncated pair, an invalid number or a missing ID makes the result nil.
    public init?(_ text: String) {
        guard text.utf8.starts(with: Self.opening.utf8) else { return nil }
        let bytes = Array(text.utf8.dropFirst(Self.opening.utf8.count))
        guard let equals = bytes.firstIndex(of: UInt8(ascii: "=")) else { return nil }
        let start = bytes[..<equals].lastIndex(of: UInt8(ascii: " ")).map { $0 + 1 } ?? 0
        guard start > 0 else { return nil }
        self.init(.opened, id: 0)
        var hasID = false
        var pairs = TextPairs(bytes[start...])
        while let pair = pairs.next() {
            guard let value = pair.value else { continue }
            if pair.key == "id" {
                guard let number = UInt64(value) else { return nil }
                id = number
                hasID = true
            } else if let (_, path) = Self.texts.first(where: { $0.0 == pair.key }) {
                self[keyPath: path] = value
            } else if let (_, path) = Self.numbers.first(where: { $0.0 == pair.key }) {
                guard let number = UInt64(value) else { return nil }
                self[keyPath: path] = number
            }
        }
        guard hasID, pairs.isWhole else { return nil }
        // The phrase follows from the values, so the kind is the one whose phrase is equal.
        let words = String(decoding: bytes[..<(start - 1)], as: UTF8.self)
        for kind in Kind.allCases {
            self.kind = kind
            if self.words == words { return }
        }
        return nil
    }
}

/// A parser for `key=value` pairs, the inverse of `FieldLine`'s text form.
private struct TextPairs {
    private var rest: ArraySlice<UInt8>
    /// Whether everything so far was well-formed.
    private(set) var isWhole = true

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    /// The next pair; nil at the end and after malformed text.
    mutating func next() -> (key: String, value: String?)? {
        guard !rest.isEmpty else { return nil }
        guard let equals = rest.firstIndex(of: UInt8(ascii: "=")), equals > rest.startIndex,
            !rest[..<equals].contains(UInt8(ascii: " "))
        else { return fail() }
        let key = String(decoding: rest[..<equals], as: UTF8.self)
        rest = rest[(equals + 1)...]
        var value: String?
        if rest.first == UInt8(ascii: "\"") {
            guard let quoted = parseQuoted() else { return fail() }
            value = quoted
        } else {
            let end = rest.firstIndex(of: UInt8(ascii: " ")) ?? rest.endIndex
            let bare = String(decoding: rest[..<end], as: UTF8.self)
            guard !bare.isEmpty else { return fail() }
            value = bare == "null" ? nil : bare
            rest = rest[end...]
        }
        if rest.first == UInt8(ascii: " ") { rest = rest.dropFirst() } else if !rest.isEmpty { return fail() }
        return (key, value)
    }

    private mutating func fail() -> (key: String, value: String?)? {
        isWhole = false
        rest = []
        return nil
    }

    /// The text of a JSON string (RFC 8259, section 7) with the escapes that Tapline writes.
    private mutating func parseQuoted() -> String? {
        var text: [UInt8] = []
        var bytes = rest.dropFirst()
        while let byte = bytes.popFirst() {
            switch byte {
            case UInt8(ascii: "\""):
                rest = bytes
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard let escape = bytes.popFirst() else { return nil }
                switch escape {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"): text.append(escape)
                case UInt8(ascii: "n"): text.append(0x0A)
                case UInt8(ascii: "r"): text.append(0x0D)
                case UInt8(ascii: "t"): text.append(0x09)
                case UInt8(ascii: "u"):
                    let digits = String(decoding: bytes.prefix(4), as: UTF8.self)
                    guard digits.utf8.count == 4, let value = UInt32(digits, radix: 16),
                        let scalar = Unicode.Scalar(value)
                    else { return nil }
                    bytes = bytes.dropFirst(4)
                    text.append(contentsOf: Array(String(scalar).utf8))
                default: return nil
                }
            default: text.append(byte)
            }
        }
        return nil
    }
}
