/// Reads a client's initial ClientHello from any number of segments and TLS records. The result does not depend on the
/// segmentation, and each byte is examined a bounded number of times, so that a client cannot make reading expensive by
/// sending single bytes.
public struct ClientHelloReader: Sendable {
    /// The result of reading the first bytes of a connection.
    public enum Reading: Hashable, Sendable {
        /// A possible beginning of a ClientHello.
        case incomplete
        /// A complete ClientHello.
        case complete(Hello)
        /// Not a usable ClientHello, whatever bytes follow.
        case faulty(ClientHelloFault)
    }

    /// The largest number of bytes read, including record headers. The protocol allows 16 MiB; clients send 200 bytes
    /// to 2 KiB, including post-quantum key shares; HAProxy and Envoy read 16 KiB.
    public static let longest = 64 << 10

    private var records = HandshakeRecords()

    /// A reader before the first byte.
    public init() {}

    /// Continues reading. `bytes` is everything received so far, including the bytes of earlier calls. Bytes after the
    /// hello are ignored. Must not be called again after a result other than `incomplete`.
    public mutating func read(_ bytes: [UInt8]) -> Reading {
        let progress = records.advance(over: bytes.prefix(Self.longest))
        if let type = records.type, type != 1 { return .faulty(.noClientHello) }
        if let length = records.length {
            if length > Self.longest { return .faulty(.tooLong) }
            if records.gathered >= length { return Self.hello(in: bytes, length) }
        }
        switch progress {
        case .ended:
            // Without any message byte, the fault is in the first record.
            return .faulty(records.gathered > 0 ? .malformed : .noTLS(beginning: Array(bytes.prefix(16))))
        case .going:
            return bytes.count >= Self.longest ? .faulty(.tooLong) : .incomplete
        }
    }

    private static func hello(in bytes: [UInt8], _ length: Int) -> Reading {
        var records = HandshakeRecords()
        var message: [UInt8] = []
        message.reserveCapacity(length)
        _ = records.advance(over: bytes.prefix(longest)) { message += $0.prefix(length - message.count) }
        guard let hello = Hello(message: message[...]) else { return .faulty(.noClientHello) }
        return hello.fault.map(Reading.faulty) ?? .complete(hello)
    }
}
