/// A ClientHello built by the test, also one that no real client would send (RFC 8446, section 4.1.2).
public struct ClientHello: Sendable {
    /// `server_name`; empty: none.
    public var name: [UInt8]
    /// `application_layer_protocol_negotiation`; empty: none.
    public var applications: [[UInt8]]
    /// `supported_versions`; empty: none.
    public var versions: [UInt16]
    /// The number of key share bytes before the other extensions; post-quantum key shares are long.
    public var keyShare: Int
    /// Additional extensions, at the end.
    public var more: [(type: UInt16, value: [UInt8])] = []

    /// A hello.
    public init(
        name: String? = nil, applications: [String] = [], versions: [UInt16] = [0x0304, 0x0303], keyShare: Int = 32
    ) {
        self.name = Array((name ?? "").utf8)
        self.applications = applications.map { Array($0.utf8) }
        self.versions = versions
        self.keyShare = keyShare
    }

    /// The handshake message.
    public var message: [UInt8] {
        let extensions = all.reduce(into: [UInt8]()) { $0 += Self.two($1.type) + Self.vector($1.value) }
        let random = [UInt8](repeating: 1, count: 32)
        let body = [3, 3] + random + [0] + Self.vector([0x13, 0x01, 0x13, 0x02]) + [1, 0] + Self.vector(extensions)
        return [1, UInt8(body.count >> 16), UInt8(body.count >> 8 & 0xFF), UInt8(body.count & 0xFF)] + body
    }

    /// The message in records with at most this many message bytes each.
    public func bytes(record: Int = 16_384) -> [UInt8] {
        Self.records(message, record)
    }

    /// A handshake message in records with at most this many message bytes each.
    public static func records(_ message: [UInt8], _ size: Int) -> [UInt8] {
        stride(from: 0, to: message.count, by: size).reduce(into: []) { wire, start in
            wire += [22, 3, 1] + vector(Array(message[start..<min(message.count, start + size)]))
        }
    }

    /// The value of `server_name` with one name.
    public static func serverName(_ name: [UInt8], kind: UInt8 = 0) -> [UInt8] {
        vector([kind] + vector(name))
    }

    private var all: [(type: UInt16, value: [UInt8])] {
        var all: [(type: UInt16, value: [UInt8])] = []
        if !name.isEmpty { all.append((0, Self.serverName(name))) }
        if keyShare > 0 { all.append((51, [UInt8](repeating: 0x5A, count: keyShare))) }
        if !applications.isEmpty {
            all.append((16, Self.vector(applications.flatMap { [UInt8($0.count)] + $0 })))
        }
        if !versions.isEmpty {
            all.append((43, [UInt8(versions.count * 2)] + versions.flatMap(Self.two)))
        }
        return all + more
    }

    private static func two(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 0xFF)] }

    /// Bytes after their 16-bit length.
    private static func vector(_ bytes: [UInt8]) -> [UInt8] { two(UInt16(bytes.count)) + bytes }
}
