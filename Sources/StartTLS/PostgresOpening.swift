/// What a PostgreSQL client begins with, as far as it concerns TLS ("SSL Session Encryption" in the protocol's
/// documentation). Pure.
public enum PostgresOpening: Hashable, Sendable {
    /// More bytes are needed.
    case incomplete
    /// TLS begins at once (`sslnegotiation=direct`): nothing is answered.
    case direct
    /// SSLRequest, of which nothing follows yet.
    case sslRequest
    /// GSSENCRequest, of which nothing follows yet.
    case gssRequest
    /// A request with bytes behind it, which the client must not send before the answer (CVE-2021-23222): an attacker
    /// who inserts bytes on the way would have them taken for encrypted ones.
    case bytesBehindRequest
    /// Another message: the client goes on without TLS.
    case plain

    /// The length of a request, bytes.
    public static let length = 8
    /// SSLRequest.
    public static let sslRequestBytes: [UInt8] = [0, 0, 0, 8, 4, 210, 22, 47]
    /// GSSENCRequest.
    public static let gssRequestBytes: [UInt8] = [0, 0, 0, 8, 4, 210, 22, 48]
    /// The answer that TLS begins.
    public static let accepted = UInt8(ascii: "S")
    /// The answer that the client may go on without.
    public static let refused = UInt8(ascii: "N")

    /// Reads the first bytes of a client, or those after an answer that has refused a request.
    public init(_ bytes: [UInt8]) {
        // The type of a TLS record with a handshake. A message's length never begins with it: it would have 369 MB.
        if bytes.first == 22 {
            self = .direct
            return
        }
        let isPrefix = { (request: [UInt8]) in request.starts(with: bytes.prefix(Self.length)) }
        guard isPrefix(Self.sslRequestBytes) || isPrefix(Self.gssRequestBytes) else {
            self = .plain
            return
        }
        guard bytes.count >= Self.length else {
            self = .incomplete
            return
        }
        guard bytes.count == Self.length else {
            self = .bytesBehindRequest
            return
        }
        self = bytes == Self.sslRequestBytes ? .sslRequest : .gssRequest
    }

    /// SQLSTATE connection_failure.
    public static let connectionFailure = "08006"

    /// An ErrorResponse that ends a connection, by default with SQLSTATE 28000 (invalid_authorization_specification).
    /// `text` and `code` have no zero byte.
    public static func error(_ text: String, code: String = "28000") -> [UInt8] {
        var fields: [UInt8] = []
        for field in ["SFATAL", "VFATAL", "C\(code)", "M\(text)"] {
            fields += Array(field.utf8)
            fields.append(0)
        }
        fields.append(0)
        let length = UInt32(clamping: fields.count + 4)
        var message = [UInt8(ascii: "E")]
        for shift in [24, 16, 8, 0] { message.append(UInt8(truncatingIfNeeded: length >> UInt32(shift))) }
        return message + fields
    }
}
