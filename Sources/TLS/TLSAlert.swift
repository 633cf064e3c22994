/// A TLS alert (RFC 8446, section 6; RFC 5246, section 7.2). A value; any thread.
public struct TLSAlert: Hashable, Sendable, CustomStringConvertible {
    /// The number on the wire.
    public let number: UInt8

    /// An alert by its number.
    public init(number: UInt8) {
        self.number = number
    }

    /// The peer ends its half of the stream in order.
    static let closeNotify = TLSAlert(number: 0)

    /// No common application protocol (ALPN).
    public static let noApplicationProtocol = TLSAlert(number: 120)
    /// No common version.
    public static let protocolVersion = TLSAlert(number: 70)
    /// No common parameters.
    public static let handshakeFailure = TLSAlert(number: 40)

    private static let names: [UInt8: String] = [
        0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 21: "decryption_failed",
        22: "record_overflow",
        30: "decompression_failure", 40: "handshake_failure", 41: "no_certificate", 42: "bad_certificate",
        43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown",
        47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error", 51: "decrypt_error",
        60: "export_restriction", 70: "protocol_version", 71: "insufficient_security", 80: "internal_error",
        86: "inappropriate_fallback", 90: "user_canceled", 100: "no_renegotiation", 109: "missing_extension",
        110: "unsupported_extension", 111: "certificate_unobtainable", 112: "unrecognized_name",
        113: "bad_certificate_status_response", 114: "bad_certificate_hash_value", 115: "unknown_psk_identity",
        116: "certificate_required", 120: "no_application_protocol",
    ]

    /// Whether it refuses a certificate, or the lack of one.
    public var refusesCertificate: Bool { (41...46).contains(number) || number == 48 || number == 49 || number == 116 }

    /// Whether its sender does not trust a certificate: bad_certificate and certificate_unknown are what some programs
    /// send in place of unknown_ca.
    public var distrusts: Bool { [42, 46, 48].contains(number) }

    /// Whether its sender wants a certificate and got none: certificate_required, and no_certificate of SSL 3.
    public var asksForCertificate: Bool { number == 116 || number == 41 }

    /// The name in the RFCs, such as `certificate_expired`; an unknown number as it is.
    public var description: String { Self.names[number] ?? "\(number)" }
}
