/// How a client agrees on TLS with a server in the messages of their protocol. It touches no socket.
///
/// `start` is sent first. `read` takes all bytes of the server, as they come. Before TLS begins the server sends
/// nothing that the client has not asked for: bytes behind an answer may have been inserted on the way, to be taken for
/// encrypted ones (CVE-2011-0411, CVE-2021-23222).
public struct StartTLSDialogue: Sendable {
    /// The protocol.
    public enum Kind: Hashable, Sendable {
        /// PostgreSQL.
        case postgres
        /// SMTP or IMAP.
        case mail(MailProtocol)
    }

    /// The result of reading.
    public enum Step: Hashable, Sendable {
        /// More bytes are needed.
        case incomplete
        /// This message is sent next.
        case send([UInt8])
        /// TLS begins.
        case complete
        /// There will be no TLS: a clause whose subject is the server.
        case failed(String)
    }

    private enum Phase {
        case greeting, capabilities, answer
    }

    private let kind: Kind
    private var phase: Phase
    private var received: [UInt8] = []

    /// What the client sends first; empty if the server speaks first.
    public let start: [UInt8]
    /// The greeting for a client that does not know about TLS, once TLS begins; empty if the protocol has none.
    public private(set) var greeting: [UInt8] = []

    /// A dialogue for one connection.
    public init(_ kind: Kind) {
        self.kind = kind
        start = kind == .postgres ? PostgresOpening.sslRequestBytes : []
        phase = kind == .postgres ? .answer : .greeting
    }

    /// Reads bytes of the server, at least one.
    public mutating func read(_ bytes: [UInt8]) -> Step {
        received += bytes
        let step: Step =
            switch (kind, phase) {
            case (.postgres, _): postgresAnswer()
            case (.mail(let name), .greeting): mailGreeting(name)
            case (.mail(.smtp), .capabilities): smtpCapabilities()
            case (.mail(.smtp), .answer): smtpAnswer()
            case (.mail(.imap), _): imapAnswer()
            }
        if step == .incomplete, received.count > MailGreeting.most {
            return .failed("sent an answer of more than 16 KiB before TLS")
        }
        return step
    }

    private static let bytesBehind = Step.failed("sent bytes behind its answer, before TLS")

    private func postgresAnswer() -> Step {
        switch received.first {
        case PostgresOpening.accepted: received.count == 1 ? .complete : Self.bytesBehind
        case PostgresOpening.refused: .failed("does not offer TLS")
        default: .failed("answered the request for TLS with an error")
        }
    }

    /// Ends a phase whose answer has `length` bytes.
    private mutating func next(_ phase: Phase, after length: Int, sending message: String) -> Step {
        guard received.count == length else { return Self.bytesBehind }
        received = []
        self.phase = phase
        return .send(Array(message.utf8))
    }

    private mutating func mailGreeting(_ name: MailProtocol) -> Step {
        switch MailGreeting(received, of: name) {
        case .incomplete: return .incomplete
        case .other(let clause): return .failed(clause)
        case .welcome(let length):
            // An IMAP greeting may list what is offered before TLS, which no longer applies.
            greeting = name == .smtp ? received : Array("* OK IMAP4 server ready\r\n".utf8)
            return name == .smtp
                ? next(.capabilities, after: length, sending: "EHLO localhost\r\n")
                : next(.answer, after: length, sending: "tls STARTTLS\r\n")
        }
    }

    private mutating func smtpCapabilities() -> Step {
        switch SMTPReply.read(received) {
        case .incomplete: return .incomplete
        case .faulty: return .failed("does not speak SMTP")
        case .complete(let reply):
            // The first line is the server's name.
            let offers = reply.texts.dropFirst().contains { $0.begins(with: "STARTTLS") && $0.count == 8 }
            guard reply.code == 250, offers else { return .failed("does not offer TLS") }
            return next(.answer, after: reply.length, sending: "STARTTLS\r\n")
        }
    }

    private func smtpAnswer() -> Step {
        switch SMTPReply.read(received) {
        case .incomplete: return .incomplete
        case .faulty: return .failed("does not speak SMTP")
        case .complete(let reply):
            guard reply.code == 220 else { return .failed("answered STARTTLS with \(reply.code)") }
            return received.count == reply.length ? .complete : Self.bytesBehind
        }
    }

    private func imapAnswer() -> Step {
        let lines = Lines(received)
        for (line, end) in zip(lines.complete, lines.ends) {
            if line.begins(with: "* ") { continue }
            guard line.begins(with: "TLS ") else { return .failed("does not speak IMAP") }
            guard line.dropFirst(4).begins(with: "OK") else { return .failed("does not offer TLS") }
            return received.count == end ? .complete : Self.bytesBehind
        }
        return .incomplete
    }
}
