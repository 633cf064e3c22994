internal import Sockets

extension ProxyHeader {
    /// The families and transports of version 2 that are written (section 2.2, the 14th byte).
    enum Family {
        static let tcp4: UInt8 = 0x11
        static let tcp6: UInt8 = 0x21
        static let unix: UInt8 = 0x31
    }

    /// The encoded header, for one send. Version 2 ends with a CRC32C; its extensions must fit into 65,000 bytes.
    /// Version 1 has no extensions, and writes UNKNOWN for anything but TCP.
    ///
    /// For unknown endpoints version 2 writes LOCAL with length zero (section 2.2). A receiver must accept LOCAL, but
    /// may refuse every other header without addresses, as HAProxy 2.6 does.
    public var bytes: [UInt8] {
        switch version {
        case .v1: Array(line.utf8)
        case .v2: binary
        }
    }

    private var line: String {
        guard let endpoints, let (source, destination) = endpoints.alike, let sourcePort = source.port,
            let destinationPort = destination.port
        else { return "PROXY UNKNOWN\r\n" }
        let family = source.isIPv6 ? "TCP6" : "TCP4"
        return "PROXY \(family) \(source.host) \(destination.host) \(sourcePort) \(destinationPort)\r\n"
    }

    private var binary: [UInt8] {
        // 0x20: version 2, LOCAL.
        guard let (source, destination) = endpoints?.alike else { return Self.signature + [0x20, 0, 0, 0] }
        let family = source.isUnix ? Family.unix : source.isIPv6 ? Family.tcp6 : Family.tcp4
        var block = source.bytes + destination.bytes
        for port in [source.port, destination.port] {
            if let port { block += [UInt8(port >> 8), UInt8(port & 0xFF)] }
        }
        for entry in extensions { block.append(entry) }
        let position = block.count + 3
        block.append(Extension(type: ExtensionType.checksum, value: [0, 0, 0, 0]))
        precondition(block.count <= 0xFFFF, "ProxyHeader: \(block.count) bytes of addresses and extensions")
        // 0x21: version 2, PROXY.
        var header = Self.signature + [0x21, family, UInt8(block.count >> 8), UInt8(block.count & 0xFF)]
        let checksum = header.count + position
        header += block
        let sum = CRC32C.of(header[...])
        for index in 0..<4 { header[checksum + index] = UInt8(truncatingIfNeeded: sum >> (24 - 8 * UInt32(index))) }
        return header
    }
}

extension ProxyHeader.Endpoints {
    /// Both endpoints in one family: if only one is IPv4, it is IPv6-mapped (RFC 4291, section 2.5.5.2). Nil if only
    /// one is a Unix socket.
    fileprivate var alike: (source: SocketAddress, destination: SocketAddress)? {
        if source.isUnix || destination.isUnix {
            return source.isUnix && destination.isUnix ? (source, destination) : nil
        }
        guard source.isIPv6 != destination.isIPv6 else { return (source, destination) }
        return (source.mapped, destination.mapped)
    }
}

extension SocketAddress {
    fileprivate var mapped: SocketAddress {
        guard case .ipv4(let address, let port) = self else { return self }
        return .ipv6(IPv6Address(high: 0, low: 0xFFFF_0000_0000 | UInt64(address.bits)), port: port)
    }

    /// The address without the port, as text.
    fileprivate var host: String {
        switch self {
        case .ipv4(let address, _): "\(address)"
        case .ipv6(let address, _, _): "\(address)"
        case .unix(let path): path
        }
    }

    /// The address without the port, in network byte order; a Unix socket's path in its 108-byte field.
    fileprivate var bytes: [UInt8] {
        switch self {
        case .ipv4(let address, _):
            return (0..<4).map { UInt8(truncatingIfNeeded: address.bits >> (24 - 8 * UInt32($0))) }
        case .ipv6(let address, _, _):
            return [address.high, address.low].flatMap { word in
                (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * UInt64($0))) }
            }
        case .unix(let path):
            var bytes = Array(path.utf8.prefix(108))
            if bytes.first == UInt8(ascii: "@") { bytes[0] = 0 }
            return bytes + Array(repeating: 0, count: 108 - bytes.count)
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ entry: ProxyHeader.Extension) {
        self += [entry.type, UInt8(entry.value.count >> 8), UInt8(entry.value.count & 0xFF)] + entry.value
    }
}
