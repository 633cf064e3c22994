public import Sockets

/// A PostgreSQL connection from its first byte on, as lines for people: each message with its name, statements with their
/// text, and errors with severity, code and message. A value, whose memory is bounded.
public struct PostgreSQLConversation: Sendable {
    private var client = PostgreSQLReader(isClient: true)
    private var server = PostgreSQLReader(isClient: false)
    private var hasBegun = false
    /// The client has asked for encryption, and the server's next byte is the answer.
    private var awaitsAnswer = false
    private var isLost = false

    /// A connection of which nothing is known.
    public init() {}

    /// The lines of the next bytes of a flow, in the order in which they passed; empty where a message does not end in
    /// them. Nil where they cannot be described: they are not PostgreSQL's, or encrypted, and so is the rest.
    public mutating func describe(_ direction: Direction, _ bytes: ArraySlice<UInt8>) -> [String]? {
        guard !isLost else { return nil }
        let lines = direction == .up ? describeClient(bytes) : describeServer(bytes)
        isLost = lines == nil
        return lines
    }

    private mutating func describeClient(_ bytes: ArraySlice<UInt8>) -> [String]? {
        // Other protocols begin with a length, too, so the code decides.
        guard hasBegun || bytes.number32(at: 4).map(PostgreSQLMessage.isUntyped) == true else { return nil }
        var messages: [PostgreSQLMessage] = []
        guard client.read(bytes, into: &messages) else { return nil }
        hasBegun = true
        awaitsAnswer =
            messages.last.map { message in
                let code = message.type == nil ? message.body.number32(at: 0) : nil
                return code == PostgreSQLMessage.sslRequest || code == PostgreSQLMessage.gssRequest
            } ?? awaitsAnswer
        return messages.map { $0.line(from: true) }
    }

    private mutating func describeServer(_ bytes: ArraySlice<UInt8>) -> [String]? {
        guard hasBegun else { return nil }
        var rest = bytes
        var lines: [String] = []
        if awaitsAnswer, let answer = rest.first {
            awaitsAnswer = false
            switch answer {
            case UInt8(ascii: "N"):
                lines.append("no encryption")
                rest = rest.dropFirst()
            // A server that does not know the request answers with an error.
            case UInt8(ascii: "E"): break
            default: return nil
            }
        }
        var messages: [PostgreSQLMessage] = []
        guard server.read(rest, into: &messages) else { return nil }
        return lines + messages.map { $0.line(from: false) }
    }
}
