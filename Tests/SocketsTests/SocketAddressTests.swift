import Glibc
import Sockets
import TestSupport
import Testing

@Suite struct SocketAddressTests {
    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1:80"), ("0.0.0.0", "0.0.0.0:80"), ("255.255.255.255", "255.255.255.255:80"),
        ("2001:db8::1", "[2001:db8::1]:80"), ("2001:DB8:0:0:0:0:0:1", "[2001:db8::1]:80"), ("::", "[::]:80"),
        ("::1", "[::1]:80"), ("fe80::1%1", "[fe80::1%lo]:80"), ("fe80::1%lo", "[fe80::1%lo]:80"),
        ("fe80::1%4294967294", "[fe80::1%4294967294]:80"),
    ])
    func address_numericText_isReadAndWrittenShort(host: String, text: String) {
        #expect(SocketAddress(numericHost: host, port: 80)?.description == text)
    }

    @Test(arguments: [
        "", "localhost", "192.0.2", "192.0.2.256", "192.0.2.01", "192.0.2.1 ", "1", ":", ":::", "[::1]", "::1%",
        "::1%nonesuch", "::1%0", "192.0.2.1%lo", "2001:db8::1::2", "%1",
    ])
    func address_otherText_isNone(host: String) {
        #expect(SocketAddress(numericHost: host, port: 80) == nil)
    }

    @Test func address_mappedByTheKernel_isIPv4() throws {
        let mapped = SocketAddress.ipv6(IPv6Address(high: 0, low: 0xFFFF_C000_0201), port: 80)
        let read = mapped.withSockaddr { SocketAddress($0, length: $1) }
        #expect(read == .ipv4(IPv4Address(bits: 0xC000_0201), port: 80))
        let ip = try #require(IPv6Address("::ffff:127.0.0.1"))
        #expect(ip.mappedIPv4 == .loopback)
        #expect(ip.isLoopback)
        #expect(IPv6Address("::127.0.0.1")?.mappedIPv4 == nil)
    }

    @Test(arguments: [
        SocketAddress.ipv4(.loopback, port: 65535), .ipv4(.any, port: 0), .ipv6(.loopback, port: 1),
        .ipv6(IPv6Address(high: 0xFE80_0000_0000_0000, low: 1), port: 443, scope: 1), .unix(path: "/run/app.sock"),
        .unix(path: "@abstract"), .unix(path: "/" + String(repeating: "x", count: 106)),
    ])
    func address_kernelForm_comesBackTheSame(address: SocketAddress) {
        let read = address.withSockaddr { SocketAddress($0, length: $1) }
        #expect(read == address)
        #expect(read?.description == address.description)
    }

    @Test func address_hasItsProperties() {
        let unix = SocketAddress.unix(path: "/a")
        let v4 = SocketAddress.ipv4(.loopback, port: 1)
        let v6 = SocketAddress.ipv6(.any, port: 2)
        #expect((unix.port, v4.port, v6.port) == (nil, 1, 2))
        #expect((unix.family, v4.family, v6.family) == (AF_UNIX, AF_INET, AF_INET6))
        #expect((unix.isUnix, v4.isUnix, v6.isUnix) == (true, false, false))
        #expect((unix.isLoopback, v4.isLoopback, v6.isLoopback) == (false, true, false))
        #expect((unix.isWildcard, v4.isWildcard, v6.isWildcard) == (false, false, true))
        #expect(v4.with(port: 9) == .ipv4(.loopback, port: 9))
        #expect(unix.with(port: 9) == unix)
        #expect(SocketAddress(numericHost: "127.200.3.4", port: 1)?.isLoopback == true)
        #expect(SocketAddress(numericHost: "128.0.0.1", port: 1)?.isLoopback == false)
        #expect(unix.description == "unix:/a")
        #expect(SocketAddress.unix(path: "@x").description == "unix:@x")
    }

    @Test func address_familyThatIsNotSpoken_isNone() {
        var raw = sockaddr()
        raw.sa_family = sa_family_t(AF_NETLINK)
        #expect(SocketAddress(&raw, length: 16) == nil)
    }

    @Test func localAddresses_ofThisMachine_haveLoopbackAndNoPorts() {
        let all = LocalAddresses.read()
        #expect(all.contains(.ipv4(.loopback, port: 0)))
        #expect(all.allSatisfy { $0.port == 0 })
    }
}
