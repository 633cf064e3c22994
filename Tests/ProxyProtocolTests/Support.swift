import ProxyProtocol
import Sockets

/// A version 2 header: signature, version and command, family, length, block.
func version2(_ command: UInt8, _ family: UInt8, _ block: [UInt8], length: Int? = nil) -> [UInt8] {
    let length = length ?? block.count
    return [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, command, family]
        + [UInt8(length >> 8), UInt8(length & 0xFF)] + block
}

/// A version 2 header for an IPv4 TCP client.
func version2(_ block: [UInt8]) -> [UInt8] { version2(0x21, 0x11, block) }

/// An extension's bytes.
func tlv(_ type: UInt8, _ value: [UInt8]) -> [UInt8] {
    [type, UInt8(value.count >> 8), UInt8(value.count & 0xFF)] + value
}

/// 192.0.2.1:4660 to 198.51.100.2:443.
let addresses4: [UInt8] = [192, 0, 2, 1, 198, 51, 100, 2, 0x12, 0x34, 0x01, 0xBB]
let endpoints4 = ProxyHeader.Endpoints(
    source: .ipv4(IPv4Address(bits: 0xC000_0201), port: 0x1234),
    destination: .ipv4(IPv4Address(bits: 0xC633_6402), port: 443))

/// 2001:db8::1:4660 to 2001:db8::2:443.
let addresses6: [UInt8] =
    [0x20, 0x01, 0x0D, 0xB8] + Array(repeating: 0, count: 11) + [1] + [0x20, 0x01, 0x0D, 0xB8]
    + Array(repeating: 0, count: 11) + [2, 0x12, 0x34, 0x01, 0xBB]
let endpoints6 = ProxyHeader.Endpoints(
    source: .ipv6(IPv6Address(high: 0x2001_0DB8_0000_0000, low: 1), port: 0x1234),
    destination: .ipv6(IPv6Address(high: 0x2001_0DB8_0000_0000, low: 2), port: 443))

/// Why bytes are not a header; nil for a complete or incomplete header.
func faults(_ bytes: [UInt8]) -> ProxyHeaderFault? {
    if case .faulty(let fault) = ProxyHeader.read(bytes) { fault } else { nil }
}
