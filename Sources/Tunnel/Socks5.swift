internal import Sockets

/// The messages of SOCKS 5 (RFC 1928). Pure.
enum Socks5 {
    static let version: UInt8 = 5
    /// The method without authentication, and the answer when the client offers no acceptable one.
    static let noAuthentication: UInt8 = 0
    static let noMethod: UInt8 = 0xFF
    /// The command to connect.
    static let connect: UInt8 = 1
    /// The server's choice of the method without authentication.
    static let chosenMethod: [UInt8] = [version, noAuthentication]

    private enum AddressType {
        static let ipv4: UInt8 = 1
        static let name: UInt8 = 3
        static let ipv6: UInt8 = 4
    }

    // MARK: As a server

    /// Reads the client's first message (section 3); nil while it is incomplete. Returns its length.
    static func methods(_ bytes: [UInt8]) throws(TunnelFault) -> Int? {
        guard bytes.count > 1 else { return nil }
        let length = 2 + Int(bytes[1])
        guard bytes.count >= length else { return nil }
        guard bytes[2..<length].contains(noAuthentication) else { throw .authentication }
        return length
    }

    /// Reads the request (section 4); nil while it is incomplete.
    static func request(_ bytes: [UInt8]) throws(TunnelFault) -> (target: TunnelTarget, length: Int)? {
        guard bytes[0] == version else { throw .malformedSocks }
        guard bytes.count > 1 else { return nil }
        guard bytes[1] == connect else { throw .command(bytes[1]) }
        guard bytes.count > 2 else { return nil }
        guard bytes[2] == 0 else { throw .malformedSocks }
        guard let (host, length) = try address(bytes, from: 3) else { return nil }
        guard bytes.count >= length + 2 else { return nil }
        let port = UInt16(bytes[length]) << 8 | UInt16(bytes[length + 1])
        guard port != 0 else { throw .portZero }
        return (TunnelTarget(host: host, port: port), length + 2)
    }

    /// Reads an address (section 5) that begins with its type at `start`; nil while it is incomplete. Returns its text
    /// and the index after it.
    static func address(_ bytes: [UInt8], from start: Int) throws(TunnelFault) -> (host: String, end: Int)? {
        guard bytes.count > start else { return nil }
        let first = start + 1
        switch bytes[start] {
        case AddressType.ipv4:
            guard bytes.count >= first + 4 else { return nil }
            let bits = bytes[first..<first + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            return ("\(IPv4Address(bits: bits))", first + 4)
        case AddressType.ipv6:
            guard bytes.count >= first + 16 else { return nil }
            func half(_ start: Int) -> UInt64 { bytes[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) } }
            return ("\(IPv6Address(high: half(first), low: half(first + 8)))", first + 16)
        case AddressType.name:
            guard bytes.count > first else { return nil }
            let end = first + 1 + Int(bytes[first])
            guard end > first + 1 else { throw .host(reason: "its name is empty") }
            guard bytes.count >= end else { return nil }
            return (try HostText.checked(bytes[(first + 1)..<end]), end)
        case let other:
            throw .addressType(other)
        }
    }

    /// A reply (section 6) with the address 0.0.0.0:0: clients do not use the bound address of a CONNECT, and it would
    /// show them this machine's addresses.
    static func reply(_ code: UInt8) -> [UInt8] {
        [version, code, 0, AddressType.ipv4, 0, 0, 0, 0, 0, 0]
    }
}

/// The text of a host in a request.
enum HostText {
    /// The text, if it is printable ASCII without spaces. A NUL would end a C string, and a control character could act
    /// on a log's reader.
    static func checked(_ bytes: ArraySlice<UInt8>) throws(TunnelFault) -> String {
        guard bytes.allSatisfy({ $0 < 0x80 }) else {
            throw .host(reason: "\"\(TunnelFault.shown(Array(bytes)))\" is not ASCII; use its ASCII form (xn--)")
        }
        guard bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .host(reason: "\"\(TunnelFault.shown(Array(bytes)))\" contains a space or a control character")
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
