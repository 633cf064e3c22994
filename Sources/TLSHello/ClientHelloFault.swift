internal import Text

/// Why a client's first bytes cannot be routed by a ClientHello. The description is a phrase that follows "what came
/// first", and contains a peer's bytes only as printable ASCII.
public enum ClientHelloFault: Error, Hashable, Sendable {
    /// It does not begin with a TLS record; up to 16 first bytes.
    case noTLS(beginning: [UInt8])
    /// A TLS record of something other than a ClientHello.
    case noClientHello
    /// A malformed ClientHello or record.
    case malformed
    /// Longer than `ClientHelloReader.longest`.
    case tooLong
    /// The client ended its half of the stream before the hello was complete.
    case cut
}

extension ClientHelloFault: CustomStringConvertible {
    /// Such as `is not TLS: it begins with "SSH-2.0-OpenSSH_"`.
    public var description: String {
        switch self {
        case .noTLS(let beginning): "is not TLS: it begins with \"\(Hello.harmless(beginning))\""
        case .noClientHello: "is TLS, but not a ClientHello"
        case .malformed: "is a malformed TLS ClientHello"
        case .tooLong: "is a TLS ClientHello of more than \(ClientHelloReader.longest) bytes, the limit"
        case .cut: "is an incomplete TLS ClientHello"
        }
    }
}

extension Hello {
    /// A peer's bytes as text that is safe for terminals, logs and pages: printable ASCII is unchanged; other bytes,
    /// quotes and backslashes are escaped like `\x0a`.
    public static func harmless(_ bytes: some Sequence<UInt8>) -> String {
        String(printableASCII: bytes, escapes: .hexadecimal)
    }

    /// The name of a version; nil for an unknown one.
    public static func name(ofVersion version: UInt16) -> String? {
        switch version {
        case 0x0300: "SSL 3.0"
        case 0x0301: "TLS 1.0"
        case 0x0302: "TLS 1.1"
        case 0x0303: "TLS 1.2"
        case 0x0304: "TLS 1.3"
        default: nil
        }
    }
}
