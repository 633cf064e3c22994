import Sockets
import Testing

@testable import Configuration

/// `upstream: original-destination`, with `interception:`.
@Suite struct InterceptionSettingsTests {
    private static func intercepting(_ lines: String...) -> String {
        (["relays:", "  - name: out", "    listen: 15001", "    upstream: original-destination"]
            + lines.map { "    " + $0 }).joined(separator: "\n") + "\n"
    }

    @Test func upstream_isWhereEachClientWantedToGo() throws {
        let settings = try read(Self.intercepting()).relays[0]
        #expect(settings.upstream == .originalDestination && settings.interception == nil)
        #expect(settings.upstream.description == "original-destination" && !settings.upstream.isLocalhost)
    }

    @Test func settings_areRead() throws {
        let text = Self.intercepting(#"interception: { allow: [10.0.0.0/8, "fd00::/8"], mark: 0x7a70 }"#)
        let expected = InterceptionSettings(
            allow: try ["10.0.0.0/8", "fd00::/8"].map { try #require(Network($0)) }, mark: 0x7A70)
        #expect(try read(text).relays[0].interception == expected)
        let one = try read(Self.intercepting("interception: { allow: 192.0.2.1 }")).relays[0].interception
        #expect(one?.allow?.map(\.description) == ["192.0.2.1"] && one?.mark == nil)
    }

    @Test func headers_mayBeSent() throws {
        let text = Self.intercepting("proxy_protocol: { send: v2 }")
        #expect(try read(text).relays[0].proxyProtocol == ProxyProtocolSettings(send: .v2))
    }

    @Test(
        arguments: [
            ("1", 1), ("31344", 0x7A70), ("0x7a70", 0x7A70), ("0XFFFFFFFF", .max), ("4294967295", .max), ("0x01", 1),
        ] as [(String, UInt32)])
    func mark_isReadInBothForms(_ text: String, _ mark: UInt32) throws {
        #expect(try MarkText.parse(text) == mark)
        #expect(try MarkText.parse(MarkText.text(of: mark)) == mark)
    }

    @Test(arguments: ["", "0", "0x0", "0x", "-1", "+1", "0x+1", "4294967296", "0x100000000", "7a70", "1 ", "0b1"])
    func mark_isRefused(_ text: String) {
        #expect(throws: ValueError.self) { try MarkText.parse(text) }
    }

    @Test func destinations_areAllButLoopback_orThoseNamed() throws {
        let near = SocketAddress.ipv4(.loopback, port: 80)
        let near6 = SocketAddress.ipv6(.loopback, port: 80)
        let far = SocketAddress.ipv4(IPv4Address(bits: 0x0A4D_0002), port: 80)
        let far6 = SocketAddress.ipv6(IPv6Address(high: 0xFD77_0000_0000_0000, low: 2), port: 80)
        let anybody = InterceptionSettings()
        #expect(anybody.allows(far) && anybody.allows(far6) && !anybody.allows(near) && !anybody.allows(near6))
        let named = InterceptionSettings(allow: try ["127.0.0.0/8", "fd77::/64"].map { try #require(Network($0)) })
        #expect(named.allows(near) && named.allows(far6) && !named.allows(far) && !named.allows(near6))
        #expect(!anybody.allows(.ipv4(IPv4Address(bits: 0x7F01_0203), port: 80)))
    }

    static let mistaken: [Mistaken] = [
        Mistaken(
            relay("interception: { mark: 1 }"),
            "5:19: `interception`: only for a relay with `upstream: original-destination`; set that, or remove this"),
        Mistaken(
            intercepting("interception: {}"),
            "5:19: `interception`: has no effect; write `allow: [10.0.0.0/8]` or `mark: 0x7a70`, or remove this"),
        Mistaken(
            intercepting("interception: { allow: [] }"),
            "5:28: `allow`: no destination would be allowed; write networks such as "
                + "[10.0.0.0/8, \"2001:db8::/32\"], or remove this"),
        Mistaken(
            intercepting("interception: { allow: 10.0.0.1/8, mark: 0 }"),
            "5:28: `allow`: `10.0.0.1/8` is not a network; write 10.0.0.0/8, 2001:db8::/32 or one address, without "
                + "bits beyond the prefix length",
            "5:46: `mark`: `0` is not a mark; write a number from 1 to 4294967295, or in "
                + "hexadecimal as in nft, such as 0x7a70"),
        Mistaken(
            intercepting("interception: { alow: 10.0.0.0/8, mark: 1 }"),
            "5:21: unknown key `alow`; did you mean `allow`?"),
        Mistaken(
            intercepting("proxy_protocol: { accept: true, trusted: 10.0.0.0/8 }"),
            "5:21: `proxy_protocol`: `accept` cannot be combined with `upstream: original-destination`: redirected "
                + "clients send no PROXY header"),
        Mistaken(
            intercepting("tls_routing: { routes: [{ alpn: h2, upstream: original-destination }] }"),
            "5:18: `tls_routing`: cannot be combined with `upstream: original-destination`: each client goes to its "
                + "original destination; write a fixed `upstream`, or remove this",
            "5:51: `upstream`: `original-destination` is only for the relay's `upstream`; a route needs an address"),
        Mistaken(
            relay(listen: "[15001, unix:/a]", upstream: "original-destination"),
            "3:21: `listen`: clients cannot be redirected to a Unix socket, so it cannot be combined with `upstream: "
                + "original-destination`; listen on a port"),
        Mistaken(
            relay(listen: "15001", upstream: "original-destination:443"),
            "4:15: `upstream`: `original-destination` takes no port: each client has its own destination"),
        Mistaken(
            relay(listen: "15001", upstream: "original_destination"),
            "4:15: `upstream`: `original_destination` has no port; did you mean `original-destination`?"),
    ]

    @Test(arguments: mistaken) func mistake_isReportedWithItsPlace_andWhatToWrite(_ mistaken: Mistaken) {
        #expect(mistakes(mistaken.text) == mistaken.mistakes)
    }
}
