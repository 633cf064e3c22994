/// What a mail server answers a client until TLS begins: its greeting, what it offers, and that it wants TLS first. It
/// touches no socket.
///
/// `greeting` is sent first. `read` takes all bytes of the client, as they come, and is called again once its answer is
/// sent.
public struct MailOffer: Sendable {
    /// The result of reading.
    public enum Step: Hashable, Sendable {
        /// More bytes are needed.
        case incomplete
        /// This is sent, and the client goes on.
        case answer([UInt8])
        /// This is sent, and TLS begins.
        case begin([UInt8])
        /// The client ends the connection; this is sent first.
        case end([UInt8])
        /// The client is refused: a clause whose subject it is. This is sent first.
        case refused(String, [UInt8])
    }

    /// The longest line: that of IMAP (RFC 7162, section 4); SMTP has shorter ones.
    private static let longest = 8192
    /// The most commands before TLS.
    private static let mostCommands = 20

    private let name: MailProtocol
    private var received: [UInt8] = []
    private var commands = 0
    /// The reply to a command that has to wait for TLS, such as `530`; nil if the client sent none.
    public private(set) var refusal: String?

    /// An offer to one client.
    public init(_ name: MailProtocol) {
        self.name = name
    }

    /// What the client gets first.
    public var greeting: [UInt8] {
        Array((name == .smtp ? "220 localhost ESMTP\r\n" : "* OK [\(Self.capabilities)] ready\r\n").utf8)
    }

    private static let capabilities = "CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED"

    /// Reads bytes of the client, at least one.
    public mutating func read(_ bytes: [UInt8]) -> Step {
        received += bytes
        let lines = Lines(received)
        var answer = ""
        for (line, end) in zip(lines.complete, lines.ends) {
            commands += 1
            guard commands <= Self.mostCommands, line.count <= Self.longest else {
                return refuse("sent too many commands before TLS", after: answer)
            }
            let reply = name == .smtp ? Self.smtp(line) : Self.imap(line)
            answer += reply.text
            switch reply.next {
            case .more: continue
            case .tlsFirst: refusal = name == .smtp ? "530" : "NO"
            case .end: return .end(Array(answer.utf8))
            case .tls:
                guard end == received.count else { return refuse("sent bytes behind its request for TLS", after: "") }
                return .begin(Array(answer.utf8))
            }
        }
        received = Array(received.dropFirst(lines.ends.last ?? 0))
        guard received.count <= Self.longest else { return refuse("sent a line of more than 8 KiB", after: answer) }
        return answer.isEmpty ? .incomplete : .answer(Array(answer.utf8))
    }

    private func refuse(_ clause: String, after answer: String) -> Step {
        let words = name == .smtp ? "421 4.7.0 The client \(clause)" : "* BYE the client \(clause)"
        return .refused(clause, Array((answer + words + "\r\n").utf8))
    }

    private enum Next {
        case more, tls, end
        /// The command was refused, because TLS has to begin first.
        case tlsFirst
    }

    private typealias Reply = (text: String, next: Next)

    private static func smtp(_ line: ArraySlice<UInt8>) -> Reply {
        let verb = word(line)
        if verb.elementsEqual("EHLO".utf8) { return ("250-localhost\r\n250 STARTTLS\r\n", .more) }
        if verb.elementsEqual("HELO".utf8) { return ("250 localhost\r\n", .more) }
        if verb.elementsEqual("NOOP".utf8) || verb.elementsEqual("RSET".utf8) { return ("250 2.0.0 OK\r\n", .more) }
        if verb.elementsEqual("QUIT".utf8) { return ("221 2.0.0 Bye\r\n", .end) }
        guard verb.elementsEqual("STARTTLS".utf8) else {
            return ("530 5.7.0 STARTTLS is required first\r\n", .tlsFirst)
        }
        guard line.count == verb.count else { return ("501 5.5.4 STARTTLS has no parameter\r\n", .more) }
        return ("220 2.0.0 TLS begins\r\n", .tls)
    }

    private static func imap(_ line: ArraySlice<UInt8>) -> Reply {
        let bytes = line.prefix { $0 != UInt8(ascii: " ") }
        // A tag is printable (RFC 9051, section 9). A longer one than 64 bytes is no client's.
        let isTag = (1...64).contains(bytes.count) && bytes.allSatisfy { (0x21...0x7E).contains($0) && !special($0) }
        guard isTag else { return ("* BAD no tag\r\n", .more) }
        let tag = String(decoding: bytes, as: UTF8.self)
        let command = line.dropFirst(bytes.count + 1)
        let verb = word(command)
        if verb.elementsEqual("CAPABILITY".utf8) { return ("* \(capabilities)\r\n\(tag) OK done\r\n", .more) }
        if verb.elementsEqual("NOOP".utf8) { return ("\(tag) OK done\r\n", .more) }
        if verb.elementsEqual("LOGOUT".utf8) { return ("* BYE bye\r\n\(tag) OK done\r\n", .end) }
        guard verb.elementsEqual("STARTTLS".utf8), command.count == verb.count else {
            return ("\(tag) NO STARTTLS is required first\r\n", .tlsFirst)
        }
        return ("\(tag) OK TLS begins\r\n", .tls)
    }

    /// The characters of ASCII that a tag does not have.
    private static func special(_ byte: UInt8) -> Bool { "(){%*\"\\+".utf8.contains(byte) }

    /// The first word, in capital letters.
    private static func word(_ line: ArraySlice<UInt8>) -> [UInt8] {
        line.prefix { $0 != UInt8(ascii: " ") }.map(\.capital)
    }
}
