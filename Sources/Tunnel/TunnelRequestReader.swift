internal import Sockets

/// Reads what a client sends to name its destination: SOCKS 5 (RFC 1928, without authentication) or HTTP CONNECT
/// (RFC 9110, section 9.3.6), which differ in the first byte. It touches no socket.
///
/// `read` takes the bytes that were received and not consumed yet. It is called again with more bytes after
/// `incomplete`, and with the bytes after the message once the answer is sent.
public struct TunnelRequestReader: Hashable, Sendable {
    /// The result of reading.
    public enum Step: Hashable, Sendable {
        /// A valid beginning of a message; every byte belongs to it.
        case incomplete
        /// A whole message of `length` bytes that needs an answer before the client continues.
        case answer([UInt8], length: Int)
        /// The request is complete with these `length` bytes.
        case complete(TunnelTarget, length: Int)
        /// Not a request that is supported, whatever bytes follow.
        case faulty(TunnelFault)
    }

    /// The longest head of an HTTP request, bytes. RFC 9112, section 3, recommends at least 8000 for its first line.
    public static let longestHead = 8 << 10

    /// The form of the reply that the client expects now; nil while its protocol is unknown.
    public private(set) var reply: TunnelReplyForm?

    /// The end of the head of an HTTP request.
    private var search = HeadSearch()

    /// Expects the first byte.
    public init() {}

    /// Reads the next message. A fault is reported as soon as no further byte can make the message valid.
    public mutating func read(_ bytes: [UInt8]) -> Step {
        guard let first = bytes.first else { return .incomplete }
        do throws(TunnelFault) {
            switch reply {
            case nil:
                switch first {
                case 4: reply = .socks4
                case Socks5.version: reply = .socks5Method
                case UInt8(ascii: "A")...UInt8(ascii: "Z"): reply = .http
                default: throw .unknownProtocol(beginning: Array(bytes.prefix(16)))
                }
                return read(bytes)
            case .socks4:
                throw .socks4
            case .socks5Method:
                guard let length = try Socks5.methods(bytes) else { return .incomplete }
                reply = .socks5
                return .answer(Socks5.chosenMethod, length: length)
            case .socks5:
                guard let (target, length) = try Socks5.request(bytes) else { return .incomplete }
                return .complete(target, length: length)
            case .http:
                guard let (target, length) = try ConnectHead.request(bytes, &search) else { return .incomplete }
                return .complete(target, length: length)
            }
        } catch {
            return .faulty(error)
        }
    }
}
