import Sockets
import Testing

@testable import ProxyProtocol

/// Section 2.1 of the specification, rule by rule.
@Suite struct VersionOneTests {
    private static let ipv4 = ProxyHeader(
        version: .v1,
        endpoints: .init(
            source: .ipv4(IPv4Address(bits: 0xC0A8_0001), port: 56324),
            destination: .ipv4(IPv4Address(bits: 0xC0A8_000B), port: 443)))

    static let good: [(line: String, endpoints: ProxyHeader.Endpoints?)] = [
        // The specification's own example.
        ("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443", ipv4.endpoints),
        ("PROXY TCP6 2001:db8::1 2001:DB8:0:0:0:0:0:2 4660 443", endpoints6),
        // The longest line of each family.
        (
            "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535",
            .init(
                source: .ipv4(IPv4Address(bits: .max), port: .max),
                destination: .ipv4(IPv4Address(bits: .max), port: .max))
        ),
        (
            "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535",
            .init(
                source: .ipv6(IPv6Address(high: .max, low: .max), port: .max),
                destination: .ipv6(IPv6Address(high: .max, low: .max), port: .max))
        ),
        (
            "PROXY TCP4 0.0.0.0 0.0.0.0 0 0",
            .init(source: .ipv4(.any, port: 0), destination: .ipv4(.any, port: 0))
        ),
        // A mapped address becomes IPv4.
        (
            "PROXY TCP6 ::ffff:192.0.2.1 ::1 4660 443",
            .init(source: endpoints4.source, destination: .ipv6(.loopback, port: 443))
        ),
        // Written by nginx with the realip module, by curl with --haproxy-clientip, and by Go programs: the word names
        // the family of only one address.
        (
            "PROXY TCP6 2001:db8::1 192.0.2.1 4660 4660",
            .init(source: endpoints6.source, destination: endpoints4.source)
        ),
        (
            "PROXY TCP6 192.0.2.1 2001:db8::1 4660 4660",
            .init(source: endpoints4.source, destination: endpoints6.source)
        ),
        (
            "PROXY TCP4 192.0.2.1 2001:db8::1 4660 4660",
            .init(source: endpoints4.source, destination: endpoints6.source)
        ),
        (
            "PROXY TCP4 2001:db8::1 192.0.2.1 4660 4660",
            .init(source: endpoints6.source, destination: endpoints4.source)
        ),
        (
            "PROXY TCP6 192.0.2.1 192.0.2.1 4660 4660",
            .init(source: endpoints4.source, destination: endpoints4.source)
        ),
        (
            "PROXY TCP4 ::ffff:192.0.2.1 ::ffff:c000:201 4660 4660",
            .init(source: endpoints4.source, destination: endpoints4.source)
        ),
        ("PROXY UNKNOWN", nil),
        ("PROXY UNKNOWN ", nil),
        ("PROXY UNKNOWN whatever: 1 2 3 \u{0}\u{7}", nil),
        (
            "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535",
            nil
        ),
    ]

    @Test(arguments: good.indices) func line_hasItsEndpoints(_ index: Int) {
        let (text, endpoints) = Self.good[index]
        let line = Array((text + "\r\n").utf8)
        let header = ProxyHeader(version: .v1, endpoints: endpoints)
        #expect(ProxyHeader.read(line) == .complete(header, length: line.count))
        // Bytes after the header are ignored, also an end of line.
        #expect(ProxyHeader.read(line + Array("\n\r\nGET".utf8)) == .complete(header, length: line.count))
        for count in 0..<line.count {
            #expect(ProxyHeader.read(Array(line.prefix(count))) == .incomplete, "\(count) bytes")
        }
    }

    @Test(arguments: [
        "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2", "PROXY TCP4  1.2.3.4 1.2.3.4 1 2", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 ",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3", "PROXY TCP4 1.2.3.4 1.2.3.4 1", "PROXY TCP4",
        "PROXY TCP5 1.2.3.4 1.2.3.4 1 2",
        "PROXY tcp4 1.2.3.4 1.2.3.4 1 2", "PROXY UNKNOWN2", "PROXY unknown", "PROXY ", "PROXY UDP4 1.2.3.4 1.2.3.4 1 2",
        // Addresses: leading zeros, too few parts, both of the other family, a zone, a path, a port, bytes after a NUL.
        "PROXY TCP4 01.2.3.4 1.2.3.4 1 2", "PROXY TCP4 1.2.3 1.2.3.4 1 2", "PROXY TCP4 256.2.3.4 1.2.3.4 1 2",
        "PROXY TCP4 ::1 ::1 1 2", "PROXY TCP6 fe80::1%eth0 ::1 1 2", "PROXY TCP6 ::1 unix:/run/a.sock 1 0",
        "PROXY TCP6 1.2.3 ::1 1 2", "PROXY TCP6 ::1 01.2.3.4 1 2", "PROXY TCP6 ::ffff:1.2.3 ::1 1 2",
        "PROXY TCP6 1::2::3 ::1 1 2", "PROXY TCP6 12345::1 ::1 1 2", "PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2",
        "PROXY TCP4 1.2.3.4:5 1.2.3.4 1 2", "PROXY TCP4 1.2.3.4\u{0}x 1.2.3.4 1 2",
        // Ports: leading zeros, too large, a sign, empty, not a number.
        "PROXY TCP4 1.2.3.4 1.2.3.4 01 2", "PROXY TCP4 1.2.3.4 1.2.3.4 00 2", "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2",
        "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2", "PROXY TCP4 1.2.3.4 1.2.3.4 +1 2", "PROXY TCP4 1.2.3.4 1.2.3.4 1 0x2",
    ])
    func line_thatIsNotExactlyAsItMustBe_isFaulty(_ text: String) {
        #expect(faults(Array((text + "\r\n").utf8)) == .line)
        #expect(ProxyHeader.read(Array(text.utf8)) == .incomplete, "the line is read when it is complete")
    }

    @Test(arguments: [
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r ", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r\n",
        "PROXY UNKNOWN a\nb\r\n", "PROXY UNKNOWN a\rb\r\n", "PROXY \n",
    ])
    func lineEnd_thatIsNoCRLF_isFaultyAtOnce(_ text: String) {
        #expect(faults(Array(text.utf8)) == .bareLineEnd)
    }

    @Test func lineWithoutEnd_isFaultyAfter107Bytes() {
        let long = Array(("PROXY UNKNOWN " + String(repeating: "x", count: 200)).utf8)
        #expect(ProxyHeader.read(Array(long.prefix(106))) == .incomplete)
        #expect(faults(Array(long.prefix(107))) == .lineTooLong)
        // The CRLF must be within the limit too.
        let ended = Array(long.prefix(106)) + [0x0D, 0x0A]
        #expect(ProxyHeader.read(Array(ended.prefix(106))) == .incomplete)
        #expect(faults(ended) == .lineTooLong)
        let longest = Array(long.prefix(105)) + [0x0D, 0x0A]
        #expect(
            ProxyHeader.read(longest) == .complete(ProxyHeader(version: .v1, endpoints: nil), length: 107))
    }

    @Test(arguments: ["GET / HTTP/1.1\r\n", "\u{16}\u{3}\u{1}\u{2}", "PROX ", "PROXIED", "PROXY\t", " PROXY", "proxy "])
    func otherBeginning_isFaultyWithItsFirstByteThatIsWrong(_ text: String) {
        #expect(faults(Array(text.utf8)) == .noHeader(beginning: Array(text.utf8.prefix(16))))
    }

    @Test func headers_areWrittenAsTheyAreRead() {
        #expect(String(decoding: Self.ipv4.bytes, as: UTF8.self) == Self.good[0].line + "\r\n")
        let ipv6 = ProxyHeader(version: .v1, endpoints: endpoints6)
        #expect(String(decoding: ipv6.bytes, as: UTF8.self) == "PROXY TCP6 2001:db8::1 2001:db8::2 4660 443\r\n")
    }

    @Test func unequalFamilies_areWrittenAsIPv6() {
        let header = ProxyHeader(
            version: .v1, endpoints: .init(source: endpoints4.source, destination: endpoints6.destination))
        #expect(
            String(decoding: header.bytes, as: UTF8.self) == "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 4660 443\r\n")
        #expect(ProxyHeader.read(header.bytes) == .complete(header, length: header.bytes.count))
    }

    @Test func endpointsOtherThanTCP_areUnknown() {
        for endpoints in [
            nil, ProxyHeader.Endpoints(source: .unix(path: ""), destination: .unix(path: "/run/a")),
            .init(source: .unix(path: ""), destination: endpoints4.destination),
        ] {
            #expect(ProxyHeader(version: .v1, endpoints: endpoints).bytes == Array("PROXY UNKNOWN\r\n".utf8))
        }
    }
}
