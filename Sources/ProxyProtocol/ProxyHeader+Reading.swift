internal import Glibc
internal import Sockets

extension ProxyHeader {
    /// The result of reading the first bytes of a connection.
    public enum Reading: Hashable, Sendable {
        /// A valid beginning of a header; every byte belongs to it.
        case incomplete
        /// A header and its length in bytes.
        case complete(ProxyHeader, length: Int)
        /// Not a header, whatever bytes follow.
        case faulty(ProxyHeaderFault)
    }

    /// The 12 bytes at the start of a version 2 header.
    static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
    /// The start of a version 1 header.
    private static let versionOneStart = Array("PROXY ".utf8)

    /// Reads all bytes of a connection received so far; bytes after the header are ignored. A fault is reported as soon
    /// as no further byte can make the header valid.
    public static func read(_ bytes: [UInt8]) -> Reading {
        guard let first = bytes.first else { return .incomplete }
        let beginning = first == signature[0] ? signature : versionOneStart
        guard zip(bytes, beginning).allSatisfy(==) else {
            return .faulty(.noHeader(beginning: Array(bytes.prefix(16))))
        }
        do throws(ProxyHeaderFault) {
            return try first == signature[0] ? binary(bytes) : line(bytes)
        } catch {
            return .faulty(error)
        }
    }

    // MARK: Version 1 (section 2.1)

    private static func line(_ bytes: [UInt8]) throws(ProxyHeaderFault) -> Reading {
        var end: Int?
        for (position, byte) in bytes.prefix(longestLine).enumerated() {
            if byte == 0x0A {
                guard bytes[position - 1] == 0x0D else { throw .bareLineEnd }
                end = position - 1
                break
            }
            if position > 0, bytes[position - 1] == 0x0D { throw .bareLineEnd }
        }
        guard let end else {
            if bytes.count >= longestLine { throw .lineTooLong }
            return .incomplete
        }
        return .complete(try header(ofLine: bytes[versionOneStart.count..<end]), length: end + 2)
    }

    private static func header(ofLine rest: ArraySlice<UInt8>) throws(ProxyHeaderFault) -> ProxyHeader {
        let fields = rest.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        let family = String(decoding: fields[0], as: UTF8.self)
        // The rest of an UNKNOWN line is ignored.
        if family == "UNKNOWN" { return ProxyHeader(version: .v1, endpoints: nil) }
        guard family == "TCP4" || family == "TCP6", fields.count == 5,
            let source = address(fields[1], port: fields[3]), let destination = address(fields[2], port: fields[4])
        else { throw .line }
        // The specification requires both addresses to be of the family that the line names. nginx (its realip module
        // replaces only the client's address, nginx issue 1609) and curl (`--haproxy-clientip`, curl issue 21340) name
        // the family of one address and write the other one unchanged. Go programs write mapped addresses as IPv4 after
        // TCP6. The family of each address is evident, so these forms are accepted. No known sender writes two IPv6
        // addresses after TCP4, so that is a fault.
        guard family == "TCP6" || source.family == AF_INET || destination.family == AF_INET else { throw .line }
        return ProxyHeader(version: .v1, endpoints: Endpoints(source: source, destination: destination))
    }

    private static func address(_ host: ArraySlice<UInt8>, port: ArraySlice<UInt8>) -> SocketAddress? {
        // A NUL would end the C string.
        guard let port = number(port), host.allSatisfy({ (0x21..<0x7F).contains($0) }) else { return nil }
        let text = String(decoding: host, as: UTF8.self)
        if let address = IPv4Address(text) { return .ipv4(address, port: port) }
        return IPv6Address(text).map { .unmapped($0, port: port) }
    }

    /// A port in decimal, without leading zeros.
    private static func number(_ digits: ArraySlice<UInt8>) -> UInt16? {
        let text = String(decoding: digits, as: UTF8.self)
        guard let number = UInt16(text), String(number) == text else { return nil }
        return number
    }

    // MARK: Version 2 (section 2.2)

    /// The bytes before the addresses.
    private static let fixedLength = 16

    private static func binary(_ bytes: [UInt8]) throws(ProxyHeaderFault) -> Reading {
        guard bytes.count > 12 else { return .incomplete }
        let (version, command) = (bytes[12] >> 4, bytes[12] & 0xF)
        guard version == 2 else { throw .version(version) }
        guard command <= 1 else { throw .command(command) }
        let isLocal = command == 0
        guard bytes.count > 13 else { return .incomplete }
        // With LOCAL the family is ignored.
        guard isLocal || (bytes[13] >> 4 <= 3 && bytes[13] & 0xF <= 2) else { throw .family(bytes[13]) }
        guard bytes.count >= fixedLength else { return .incomplete }
        let end = fixedLength + (Int(bytes[14]) << 8 | Int(bytes[15]))
        guard end <= longest else { throw .tooLong(end) }
        let size = isLocal ? nil : addressLength(of: bytes[13])
        guard fixedLength + (size ?? 0) <= end else { throw .addresses }
        guard bytes.count >= end else { return .incomplete }
        var header = ProxyHeader(version: .v2, endpoints: nil)
        // The addresses of an unknown family have an unknown length, so the rest of the header is skipped.
        guard let size else { return .complete(header, length: end) }
        header.endpoints = endpoints(bytes[fixedLength..<fixedLength + size], family: bytes[13])
        guard let extensions = extensions(in: bytes[(fixedLength + size)..<end]) else { throw .extensions }
        try check(extensions, of: bytes[..<end])
        header.extensions = extensions.filter {
            $0.type != ExtensionType.checksum && $0.type != ExtensionType.padding
        }
        return .complete(header, length: end)
    }

    /// The length of a family's addresses; nil for datagram and unknown families, which count as unspecified.
    private static func addressLength(of family: UInt8) -> Int? {
        switch family {
        case Family.tcp4: 12
        case Family.tcp6: 36
        case Family.unix: 216
        default: nil
        }
    }

    private static func endpoints(_ block: ArraySlice<UInt8>, family: UInt8) -> Endpoints {
        var rest = block
        func next(_ count: Int) -> ArraySlice<UInt8> {
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count)
        }
        if family == Family.unix {
            let source = next(108)
            return Endpoints(source: .unix(fixed: source), destination: .unix(fixed: rest))
        }
        let length = family == Family.tcp4 ? 4 : 16
        let (source, destination) = (next(length), next(length))
        let (sourcePort, destinationPort) = (next(2), next(2))
        func address(_ host: ArraySlice<UInt8>, _ port: ArraySlice<UInt8>) -> SocketAddress {
            let port = UInt16(truncatingIfNeeded: port.bigEndian)
            guard host.count > 4 else {
                return .ipv4(IPv4Address(bits: UInt32(truncatingIfNeeded: host.bigEndian)), port: port)
            }
            return .unmapped(IPv6Address(high: host.prefix(8).bigEndian, low: host.suffix(8).bigEndian), port: port)
        }
        return Endpoints(source: address(source, sourcePort), destination: address(destination, destinationPort))
    }

    /// The extensions in a range; nil if the last one exceeds it.
    static func extensions(in bytes: ArraySlice<UInt8>) -> [Extension]? {
        var extensions: [Extension] = []
        var rest = bytes
        while let type = rest.first {
            guard rest.count >= 3 else { return nil }
            let count = Int(rest.dropFirst().prefix(2).bigEndian)
            rest = rest.dropFirst(3)
            guard rest.count >= count else { return nil }
            extensions.append(Extension(type: type, value: Array(rest.prefix(count))))
            rest = rest.dropFirst(count)
        }
        return extensions
    }

    /// Checks the lengths and the checksum.
    private static func check(
        _ extensions: [Extension], of header: ArraySlice<UInt8>
    ) throws(ProxyHeaderFault) {
        // The extensions are the last part of the header.
        var position = header.endIndex - extensions.reduce(0) { $0 + 3 + $1.value.count }
        for entry in extensions {
            position += 3
            switch entry.type {
            case ExtensionType.uniqueID where entry.value.count > longestUniqueID,
                ExtensionType.authority where entry.value.count > longestAuthority,
                ExtensionType.checksum where entry.value.count != 4:
                throw .extensions
            case ExtensionType.checksum:
                // Section 2.2.3: over the whole header, with the checksum's own bytes as zeros.
                var zeroed = header
                for index in position..<position + 4 { zeroed[index] = 0 }
                guard UInt64(CRC32C.of(zeroed)) == entry.value[...].bigEndian else { throw .checksum }
            default:
                break
            }
            position += entry.value.count
        }
    }
}

extension ArraySlice<UInt8> {
    /// Up to eight bytes as a big-endian number.
    fileprivate var bigEndian: UInt64 { reduce(0) { $0 << 8 | UInt64($1) } }
}

extension SocketAddress {
    /// An IPv6 address, or the IPv4 address of its mapped form.
    fileprivate static func unmapped(_ address: IPv6Address, port: UInt16) -> SocketAddress {
        address.mappedIPv4.map { .ipv4($0, port: port) } ?? .ipv6(address, port: port)
    }

    /// A Unix socket's path in its 108-byte field (unix(7)).
    fileprivate static func unix(fixed bytes: ArraySlice<UInt8>) -> SocketAddress {
        guard bytes.first == 0 else {
            return .unix(path: String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
        }
        // An abstract name may contain zeros, but zeros at its end cannot be distinguished from padding.
        let name = bytes.dropFirst().reversed().drop { $0 == 0 }.reversed()
        return .unix(path: name.isEmpty ? "" : "@" + String(decoding: name, as: UTF8.self))
    }
}
