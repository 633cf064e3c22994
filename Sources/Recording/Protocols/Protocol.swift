/// A connection's application protocol, recognised by its first bytes. A value; any thread.
public struct Protocol: Hashable, Sendable {
    /// The protocols that are recognised.
    public enum Family: String, CaseIterable, Hashable, Sendable {
        /// HTTP/1.0 and 1.1, and HTTP/2 without TLS.
        case http = "HTTP"
        case http2 = "HTTP/2"
        case tls = "TLS"
        case postgreSQL = "PostgreSQL"
        case mySQL = "MySQL"
        case mongoDB = "MongoDB"
        case redis = "Redis"
        case ssh = "SSH"
        case smtp = "SMTP"
        case ftp = "FTP"
        case imap = "IMAP"
        case pop3 = "POP3"
        case mqtt = "MQTT"
        case dns = "DNS"
        case amqp = "AMQP"
        case kafka = "Kafka"
        /// Another protocol in printable characters.
        case text
        /// Another protocol in other bytes.
        case binary
        /// No bytes.
        case nothing
    }

    /// The protocol.
    public let family: Family
    /// A detail such as a request line or a server name, if any. It is untrusted text of the peers, at most 200
    /// characters: escape it before display.
    public let detail: String?

    /// A protocol with a detail, which is truncated to 200 characters.
    public init(_ family: Family, _ detail: String? = nil) {
        self.family = family
        guard let detail, !detail.isEmpty else {
            self.detail = nil
            return
        }
        self.detail = detail.count > 200 ? String(detail.prefix(199)) + "…" : detail
    }

    private typealias Recogniser = @Sendable (ArraySlice<UInt8>, ArraySlice<UInt8>) -> Protocol?

    /// In descending order of certainty.
    private static let recognisers: [Recogniser] = [
        { TLSRecogniser.recognise($0, $1) }, { HTTPRecogniser.recognise($0, $1) },
        { BannerRecogniser.recognise($0, $1) }, { PostgreSQLRecogniser.recognise($0, $1) },
        { MySQLRecogniser.recognise($0, $1) }, { AMQPRecogniser.recognise($0, $1) },
        { MQTTRecogniser.recognise($0, $1) }, { RedisRecogniser.recognise($0, $1) },
        { MongoDBRecogniser.recognise($0, $1) }, { DNSRecogniser.recognise($0, $1) },
        { KafkaRecogniser.recognise($0, $1) },
    ]

    /// Recognises the protocol by the first bytes of both flows, either of which may be empty. A pure function, which
    /// reads at most 16 KiB of each.
    public static func recognise(up: [UInt8], down: [UInt8]) -> Protocol {
        let (up, down) = (up[...].prefix(16_384), down[...].prefix(16_384))
        guard !up.isEmpty || !down.isEmpty else { return Protocol(.nothing) }
        for recognise in recognisers {
            if let known = recognise(up, down) { return known }
        }
        return Protocol(isText(up) && isText(down) ? .text : .binary)
    }

    /// Whether bytes are printable UTF-8, except for a character truncated at the end.
    private static func isText(_ bytes: ArraySlice<UInt8>) -> Bool {
        var decoder = UTF8()
        let part = bytes.prefix(1024)
        var iterator = part.makeIterator()
        var decoded = 0
        while true {
            switch decoder.decode(&iterator) {
            case .scalarValue(let scalar):
                let isPrintable =
                    scalar.value >= 0x20 && scalar.value != 0x7F || [9, 10, 13, 27].contains(scalar.value)
                guard isPrintable else { return false }
                decoded += UTF8.width(scalar)
            case .emptyInput: return true
            case .error: return part.count - decoded < 4
            }
        }
    }
}

extension Protocol: CustomStringConvertible {
    /// `HTTP GET /index.html 200`, `TLS example.com, TLS 1.3, h2`, `binary`; `-` without bytes.
    public var description: String {
        if family == .nothing { return "-" }
        return detail.map { "\(family.rawValue) \($0)" } ?? family.rawValue
    }
}

// MARK: Reading lines

extension ArraySlice<UInt8> {
    /// The first line without its terminator; nil if it is incomplete or longer than `limit`.
    func firstLine(limit: Int = 2048) -> ArraySlice<UInt8>? {
        guard let end = prefix(limit).firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let line = self[startIndex..<end]
        return line.last == UInt8(ascii: "\r") ? line.dropLast() : line
    }

    /// Whether it starts with a text.
    func starts(with text: String) -> Bool {
        starts(with: text.utf8)
    }

    /// The bytes as text; invalid UTF-8 is replaced.
    var text: String { String(decoding: self, as: UTF8.self) }

    /// The text up to the next NUL; nil if there is none.
    func textToNUL(from offset: Int) -> String? {
        let rest = rest(from: offset)
        guard let end = rest.firstIndex(of: 0) else { return nil }
        return rest[..<end].text
    }

    /// Whether all bytes are printable ASCII.
    var isPrintable: Bool { allSatisfy { $0 >= 0x20 && $0 < 0x7F } }
}
