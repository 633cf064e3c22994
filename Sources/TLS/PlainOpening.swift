/// What a peer has sent instead of TLS, by its first bytes. A value; any thread.
public struct PlainOpening: Hashable, Sendable {
    /// A protocol that the bytes belong to.
    public enum Kind: Hashable, Sendable {
        /// A request of HTTP.
        case httpRequest
        /// PostgreSQL's SSLRequest, by which its clients ask for TLS.
        case postgresRequest
        /// The greeting of an SMTP server.
        case smtpGreeting
        /// The greeting of an IMAP server.
        case imapGreeting
    }

    /// The most bytes that are looked at and shown.
    public static let most = 40

    /// The protocol; nil for an unknown one.
    public let kind: Kind?
    /// The printable bytes at the start, with other characters for quotes and backslashes; empty without any.
    public let text: String

    private static let methods = [
        "GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "OPTIONS ", "PATCH ", "TRACE ", "CONNECT ",
    ]
    private static let sslRequest: [UInt8] = [0, 0, 0, 8, 4, 210, 22, 47]

    /// Reads the first bytes of a peer.
    public init(_ bytes: some Collection<UInt8>) {
        let bytes = Array(bytes.prefix(Self.most))
        text = OpenSSL.plain(bytes.prefix { (0x20..<0x7F).contains($0) })
        let begins = { (beginning: String) in bytes.starts(with: beginning.utf8) }
        kind =
            if Self.methods.contains(where: begins) {
                .httpRequest
            } else if bytes.starts(with: Self.sslRequest) {
                .postgresRequest
            } else if begins("220 ") || begins("220-") {
                .smtpGreeting
            } else if begins("* OK") || begins("* PREAUTH") || begins("* BYE") {
                .imapGreeting
            } else {
                nil
            }
    }

    /// Whether bytes can be the start of TLS: a record's type (RFC 8446, section 5.1), from change_cipher_spec to
    /// application_data.
    static func isTLS(_ bytes: some Collection<UInt8>) -> Bool {
        bytes.first.map { (20...23).contains($0) } ?? true
    }
}

extension PlainOpening: CustomStringConvertible {
    /// A clause about the peer, `it`.
    public var description: String {
        switch kind {
        case .httpRequest: "it sent HTTP without TLS"
        case .postgresRequest: "it sent PostgreSQL's SSLRequest"
        case .smtpGreeting, .imapGreeting, nil:
            "its bytes are not TLS" + (text.isEmpty ? "" : ": it began with `\(text)`")
        }
    }
}
