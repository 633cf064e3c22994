/// Reads the ClientHello that a client begins with, out of any number of segments and TLS records. What the bytes come to
/// does not depend on how they come, and each of them is looked at a bounded number of times, so that a client which sends
/// them one by one cannot make it dear.
public struct ClientHelloReader: Sendable {
    /// What the first bytes of a connection come to.
    public enum Reading: Hashable, Sendable {
        /// So far it can be a ClientHello, and not all of it.
        case incomplete
        /// A whole one.
        case complete(Hello)
        /// None to decide by, whatever follows.
        case faulty(ClientHelloFault)
    }

    /// How many bytes are read at most, records' heads and all. The protocol allows 16 MiB; clients send 200 bytes to 2
    /// KiB, with keys for after quantum computers; HAProxy and Envoy read 16 KiB.
    public static let longest = 64 << 10

    private var records = HandshakeRecords()

    /// Before the first byte.
    public init() {}

    /// Reads on: `bytes` is all that came so far, what was given before at its beginning. What follows the hello is not
    /// looked at. Not to be asked again once it has said anything but `incomplete`.
    public mutating func read(_ bytes: [UInt8]) -> Reading {
        let progress = records.advance(over: bytes.prefix(Self.longest))
        if let type = records.type, type != 1 { return .faulty(.noClientHello) }
        if let length = records.length {
            if length > Self.longest { return .faulty(.tooLong) }
            if records.gathered >= length { return Self.hello(in: bytes, length) }
        }
        switch progress {
        case .ended:
            // Where nothing of the message is there yet, the first record is what is not one.
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
