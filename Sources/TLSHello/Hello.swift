/// The fields of a ClientHello or a ServerHello that routing and recordings use (RFC 8446, sections 4.1.2 and 4.1.3).
///
/// A value without sockets, parsed from untrusted bytes: every length is checked. A truncated or malformed message
/// yields the fields before the fault, and the fault. Routing requires a hello without a fault; the description of a
/// recording uses any.
public struct Hello: Hashable, Sendable {
    /// The sender.
    public enum Side: Hashable, Sendable {
        /// A ClientHello, handshake type 1.
        case client
        /// A ServerHello, handshake type 2.
        case server
    }

    /// The longest server name. A DNS name has 253 characters and a root dot; HAProxy's limit is 255 too.
    public static let longestName = 255

    /// The sender.
    public let side: Side
    /// The highest version that the client offers, or the version that the server chose, from `supported_versions` if
    /// present. Nil if the hello is truncated before it.
    public private(set) var version: UInt16?
    /// The server name that the client sent (RFC 6066, section 3); with Encrypted Client Hello the public, outer one.
    public private(set) var serverName: [UInt8]?
    /// The application protocols in the client's order of preference (RFC 7301).
    public private(set) var applications: [[UInt8]] = []
    /// Why it must not be used for routing; nil if it is complete and well-formed.
    public private(set) var fault: ClientHelloFault?

    /// Parses a handshake message, beginning with its type; nil for other types.
    public init?(message: ArraySlice<UInt8>) {
        switch message.first {
        case 1: side = .client
        case 2: side = .server
        default: return nil
        }
        do throws(ClientHelloFault) {
            try read(message)
        } catch {
            fault = error
        }
    }

    private mutating func read(_ message: ArraySlice<UInt8>) throws(ClientHelloFault) {
        var message = Piece(message.dropFirst())
        let length = try message.number(3)
        var body = Piece(message.rest.prefix(length))
        version = UInt16(try body.number(2))
        // The random, and the session ID of at most 32 bytes.
        try body.skip(32)
        guard try body.vector(1).count <= 32 else { throw .malformed }
        if side == .server {
            try body.skip(3)
        } else {
            let suites = try body.vector(2)
            guard suites.count >= 2, suites.count % 2 == 0 else { throw .malformed }
            guard try !body.vector(1).isEmpty else { throw .malformed }
        }
        // Hellos older than extensions end here.
        if !body.rest.isEmpty { try extensions(in: &body) }
        guard body.rest.isEmpty, message.rest.count >= length else { throw .malformed }
    }

    // MARK: Extensions

    private enum ExtensionType {
        static let serverName = 0
        static let applications = 16
        static let versions = 43
    }

    private mutating func extensions(in body: inout Piece) throws(ClientHelloFault) {
        let length = try body.number(2)
        var list = Piece(body.rest.prefix(length))
        var seen: Set<Int> = []
        while !list.rest.isEmpty {
            let type = try list.number(2)
            let size = try list.number(2)
            // Of two extensions of one type, Tapline and the upstream could use different ones (RFC 8446, section 4.2).
            guard seen.insert(type).inserted else { throw .malformed }
            try readExtension(type, Piece(list.rest.prefix(size)))
            try list.skip(size)
        }
        try body.skip(length)
    }

    private mutating func readExtension(_ type: Int, _ value: Piece) throws(ClientHelloFault) {
        var value = value
        switch type {
        case ExtensionType.serverName where side == .client:
            var names = Piece(try value.vector(2))
            guard !names.rest.isEmpty, value.rest.isEmpty else { throw .malformed }
            while !names.rest.isEmpty {
                let kind = try names.number(1)
                let name = try names.vector(2)
                guard kind == 0 else { continue }
                guard serverName == nil, (1...Self.longestName).contains(name.count) else { throw .malformed }
                serverName = Array(name)
            }
        case ExtensionType.applications:
            var names = Piece(try value.prefixedPart(2))
            while !names.rest.isEmpty {
                let name = try names.vector(1)
                guard !name.isEmpty else { throw .malformed }
                applications.append(Array(name))
            }
            guard !applications.isEmpty, value.isWhole else { throw .malformed }
        case ExtensionType.versions where side == .server:
            version = UInt16(try value.number(2))
        case ExtensionType.versions:
            var offered = Piece(try value.vector(1))
            var highest: UInt16?
            while !offered.rest.isEmpty {
                let version = UInt16(try offered.number(2))
                // Reserved values (GREASE, RFC 8701) are above the real versions.
                if version <= 0x0304 { highest = max(version, highest ?? 0) }
            }
            version = highest ?? version
        default:
            break
        }
    }
}

/// A cursor over bytes; missing bytes are a fault, never a trap.
private struct Piece {
    private(set) var rest: ArraySlice<UInt8>
    /// Whether the last part of `prefixedPart` was complete, with nothing after it.
    private(set) var isWhole = true

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    /// A big-endian number of `size` bytes.
    mutating func number(_ size: Int) throws(ClientHelloFault) -> Int {
        guard rest.count >= size else { throw .malformed }
        defer { rest = rest.dropFirst(size) }
        return rest.prefix(size).reduce(0) { $0 << 8 | Int($1) }
    }

    mutating func skip(_ count: Int) throws(ClientHelloFault) {
        guard rest.count >= count else { throw .malformed }
        rest = rest.dropFirst(count)
    }

    /// A part after its length of `size` bytes.
    mutating func vector(_ size: Int) throws(ClientHelloFault) -> ArraySlice<UInt8> {
        let count = try number(size)
        let part = rest.prefix(count)
        try skip(count)
        return part
    }

    /// Like `vector`, but the part may be truncated.
    mutating func prefixedPart(_ size: Int) throws(ClientHelloFault) -> ArraySlice<UInt8> {
        let count = try number(size)
        isWhole = rest.count == count
        return rest.prefix(count)
    }
}
