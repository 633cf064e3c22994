/// Why what a client sends first is no ClientHello to decide by. Its description is half a sentence that follows "what came
/// first", and shows nothing of a peer's bytes but printable ASCII.
public enum ClientHelloFault: Error, Hashable, Sendable {
    /// It begins with something else than a TLS record; the first bytes, 16 at most.
    case noTLS(beginning: [UInt8])
    /// A TLS record, but not of a ClientHello.
    case noClientHello
    /// A ClientHello, or the records that it comes in, out of form.
    case malformed
    /// Longer than `ClientHelloReader.longest`.
    case tooLong
    /// The client ended its half before the hello was whole.
    case cut
}

extension ClientHelloFault: CustomStringConvertible {
    /// Such as `is no TLS: it begins with "SSH-2.0-OpenSSH_"`.
    public var description: String {
        switch self {
        case .noTLS(let beginning): "is no TLS: it begins with \"\(Hello.harmless(beginning))\""
        case .noClientHello: "is TLS, but no ClientHello"
        case .malformed: "is a TLS ClientHello that is malformed"
        case .tooLong: "is a TLS ClientHello of more than \(ClientHelloReader.longest) bytes, which is not read"
        case .cut: "is the beginning of a TLS ClientHello, and ended there"
        }
    }
}

extension Hello {
    /// Bytes of a peer as text that no terminal, log or page stumbles over: printable ASCII as it is, every other byte,
    /// and quotes and backslashes, as `\x0a`.
    public static func harmless(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { byte in
            let isPlain = (0x20..<0x7F).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
            return isPlain
                ? "\(Character(Unicode.Scalar(byte)))" : "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }

    /// What people call a version; nil for one that has no name.
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
