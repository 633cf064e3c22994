/// A protocol of mail that agrees on TLS with a command.
public enum MailProtocol: Hashable, Sendable, CaseIterable {
    /// SMTP (RFC 3207).
    case smtp
    /// IMAP (RFC 9051, section 6.2.1).
    case imap

    /// The name, for messages.
    public var name: String { self == .smtp ? "SMTP" : "IMAP" }
}

/// The lines of a text, without their ends.
struct Lines {
    /// The complete lines.
    private(set) var complete: [ArraySlice<UInt8>] = []
    /// The length of each complete line with its end, from the first one's start.
    private(set) var ends: [Int] = []

    init(_ bytes: [UInt8]) {
        var start = 0
        for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") {
            let hasReturn = index > start && bytes[index - 1] == UInt8(ascii: "\r")
            complete.append(bytes[start..<(hasReturn ? index - 1 : index)])
            start = index + 1
            ends.append(start)
        }
    }
}

extension ArraySlice<UInt8> {
    /// Whether it begins with an ASCII text, in capital or small letters. `text` has capital letters.
    func begins(with text: String) -> Bool {
        count >= text.utf8.count && zip(self, text.utf8).allSatisfy { $0.capital == $1 }
    }
}

extension UInt8 {
    /// The capital letter of a small one.
    var capital: UInt8 { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self) ? self - 32 : self }
}

/// A reply of an SMTP server: lines with one code (RFC 5321, section 4.2).
struct SMTPReply: Hashable {
    let code: Int
    /// The texts of its lines.
    let texts: [ArraySlice<UInt8>]
    /// Its length, bytes.
    let length: Int

    /// The result of reading.
    enum Result: Hashable {
        case incomplete
        case complete(SMTPReply)
        case faulty
    }

    static func read(_ bytes: [UInt8]) -> Result {
        let lines = Lines(bytes)
        var code: Int?
        var texts: [ArraySlice<UInt8>] = []
        for (line, end) in zip(lines.complete, lines.ends) {
            let digits = line.prefix(3)
            guard digits.count == 3, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return .faulty }
            let number = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
            guard code ?? number == number else { return .faulty }
            code = number
            texts.append(line.dropFirst(4))
            switch line.dropFirst(3).first {
            case UInt8(ascii: "-"): continue
            case UInt8(ascii: " "), nil: return .complete(SMTPReply(code: number, texts: texts, length: end))
            default: return .faulty
            }
        }
        return .incomplete
    }
}

/// The greeting of a mail server. Pure.
public enum MailGreeting: Hashable, Sendable {
    /// A beginning.
    case incomplete
    /// It welcomes the client, with these bytes.
    case welcome(length: Int)
    /// It does not, or is no greeting of this protocol: a clause whose subject is the server.
    case other(String)

    /// Reads the first bytes of a server.
    public init(_ bytes: [UInt8], of protocolName: MailProtocol) {
        switch protocolName {
        case .smtp:
            switch SMTPReply.read(bytes) {
            case .incomplete: self = .incomplete
            case .complete(let reply) where reply.code == 220: self = .welcome(length: reply.length)
            case .complete(let reply): self = .other("greeted with \(reply.code) instead of 220")
            case .faulty: self = .other("does not speak SMTP")
            }
        case .imap:
            let lines = Lines(bytes)
            guard let line = lines.complete.first else {
                self = .incomplete
                return
            }
            if line.begins(with: "* OK") {
                self = .welcome(length: lines.ends[0])
            } else if line.begins(with: "* BYE") {
                self = .other("greeted with BYE instead of OK")
            } else if line.begins(with: "* PREAUTH") {
                // TLS cannot begin any more (RFC 9051, section 7.1.4).
                self = .other("greeted with PREAUTH instead of OK")
            } else {
                self = .other("does not speak IMAP")
            }
        }
        // A greeting is short, and nothing that follows it belongs to it.
        if self == .incomplete, bytes.count > Self.most { self = .other("sent a greeting of more than 16 KiB") }
    }

    /// The most bytes of an answer before TLS.
    static let most = 16 << 10
}
