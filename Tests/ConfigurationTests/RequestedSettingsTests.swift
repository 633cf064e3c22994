import Sockets
import Testing

@testable import Configuration

/// `upstream: requested`, with `requested:`.
@Suite struct RequestedSettingsTests {
    private static func requested(_ lines: String..., listen: String = "1080") -> String {
        (["relays:", "  - name: socks", "    listen: \(listen)", "    upstream: requested"] + lines.map { "    " + $0 })
            .joined(separator: "\n") + "\n"
    }

    private static func settings(allow: String) throws -> RequestedSettings {
        try #require(try read(requested("requested: { allow: [\(allow)] }")).relays.first?.requested)
    }

    @Test func relay_withoutSettings_allowsEveryDestination() throws {
        let relay = try #require(try read(Self.requested()).relays.first)
        #expect(relay.upstream == .requested && relay.requested == nil)
        #expect(RequestedSettings().verdict(on: .name("a.example", port: 1)) == .allowed)
        #expect(RequestedSettings().timeout == .seconds(5))
    }

    @Test(
        arguments: [
            ("10.0.0.0/8", nil), ("10.0.0.0/8:443", nil), ("192.0.2.1:22", nil), ("2001:db8::/32", nil),
            ("[2001:db8::/32]:443", nil), ("[::1]", "::1"), ("a.example", nil), ("A.Example:443", "a.example:443"),
            ("*.example:443", nil), ("*.example", nil), ("localhost:5432", nil),
        ] as [(String, String?)])
    func rule_isRead_andWrittenTheSame(_ text: String, _ written: String?) throws {
        let rule = try RequestRule(parsing: text)
        #expect(rule.description == written ?? text)
        #expect(try RequestRule(parsing: rule.description) == rule)
    }

    @Test(
        arguments: [
            "", ":1", "a:0", "a:65536", "a:b", "a:1:2", "*", "*:443", "a.*:1", "*.*.a:1", "10.0.0.1/8", "10.0.0.0/33:1",
            "[::1]:0", "[::1", "[::1]x", "a b", "-a", "http://a", "127.1:80", "unix:/run/a", "bücher.example",
        ])
    func otherText_isNoRule(_ text: String) {
        #expect(throws: ValueError.self) { try RequestRule(parsing: text) }
    }

    @Test func name_isComparedWithTheRequestedName() throws {
        let settings = try Self.settings(allow: "'a.example:443', '*.b.example', c.example")
        func verdict(_ host: String, _ port: UInt16) throws -> RequestedSettings.Verdict {
            settings.verdict(on: try UpstreamAddress(requested: host, port: port))
        }
        for (host, port) in [
            ("a.example", 443), ("A.EXAMPLE.", 443), ("x.b.example", 1), ("x.y.B.example", 2), ("c.example", 3),
        ] as [(String, UInt16)] {
            #expect(try verdict(host, port) == .allowed, "\(host)")
        }
        // No network rule could allow an address of theirs, so they are not looked up.
        for (host, port) in [
            ("a.example", 80), ("x.a.example", 443), ("b.example", 1), ("xb.example", 1), ("d.example", 3),
            ("192.0.2.1", 443),
            ("::1", 443),
        ] as [(String, UInt16)] {
            #expect(try verdict(host, port) == .refused, "\(host)")
        }
    }

    @Test func network_isComparedWithTheAddresses_alsoOfAName() throws {
        let settings = try Self.settings(allow: "10.0.0.0/8, '192.0.2.1:22', '[2001:db8::/32]:443'")
        func verdict(_ host: String, _ port: UInt16) throws -> RequestedSettings.Verdict {
            settings.verdict(on: try UpstreamAddress(requested: host, port: port))
        }
        #expect(try verdict("10.1.2.3", 1) == .allowed && verdict("::ffff:10.1.2.3", 1) == .allowed)
        #expect(try verdict("192.0.2.1", 22) == .allowed && verdict("192.0.2.1", 23) == .refused)
        #expect(try verdict("2001:db8::9", 443) == .allowed && verdict("2001:db8::9", 80) == .refused)
        #expect(try verdict("127.0.0.1", 1) == .refused && verdict("a.example", 1) == .byAddress)
        #expect(settings.allows(.ipv4(IPv4Address(bits: 0x0A00_0001), port: 9)))
        #expect(!settings.allows(.ipv4(.loopback, port: 9)) && !settings.allows(.unix(path: "/run/a")))
        let narrow = try Self.settings(allow: "'10.0.0.0/8:443'")
        #expect(narrow.verdict(on: .name("a.example", port: 80)) == .refused)
        #expect(narrow.verdict(on: .name("a.example", port: 443)) == .byAddress)
    }

    @Test(
        arguments: [
            ("a.example", .name("a.example", port: 7)),
            ("192.0.2.1", .address(.ipv4(IPv4Address(bits: 0xC000_0201), port: 7))),
            ("::ffff:192.0.2.1", .address(.ipv4(IPv4Address(bits: 0xC000_0201), port: 7))),
            ("::1", .address(.ipv6(.loopback, port: 7))),
        ] as [(String, UpstreamAddress)])
    func requestedHost_isANameOrAnAddress(_ host: String, _ upstream: UpstreamAddress) throws {
        #expect(try UpstreamAddress(requested: host, port: 7) == upstream)
    }

    /// The C library would read some of them as addresses, and 0.0.0.0 reaches this machine.
    @Test(
        arguments: [
            "0.0.0.0", "::", "127.1", "0x7f000001", "2130706433", "a..b", "-a", "a b", "", "[::1]", "fe80::1%lo",
            String(repeating: "a.", count: 127) + "bcd", String(repeating: "a", count: 64), "*.a", "unix:/run/a",
            "original-destination:1",
        ])
    func otherHost_cannotBeRequested(_ host: String) {
        #expect(throws: ValueError.self) { try UpstreamAddress(requested: host, port: 7) }
    }

    static let mistaken: [Mistaken] = [
        Mistaken(
            relay("requested: { allow: 10.0.0.0/8 }"),
            "5:16: `requested`: only for a relay with `upstream: requested`; set that, or remove this"),
        Mistaken(
            requested("requested: { allow: [] }"),
            "5:25: `allow`: no destination would be allowed; write destinations such as [10.0.0.0/8, \"*.example.com:443\"], "
                + "or remove this to allow every destination"),
        Mistaken(
            requested("requested: { allow: ['a:b'], timeout: 10ms }"),
            "5:26: `allow`: `a:b` is not a destination; write a network such as 10.0.0.0/8 or \"[2001:db8::/32]:443\", or a "
                + "name such as db.example.com:5432 or \"*.example.com:443\"; a port is from 1 to 65535",
            "5:43: `timeout`: 10ms is too short to retransmit a lost packet; write at least 1s, or 0 for no limit"
        ),
        Mistaken(
            requested("tls_routing: { routes: [{ alpn: h2, upstream: requested }] }"),
            "5:18: `tls_routing`: cannot be combined with `upstream: requested`: each client requests its destination; "
                + "write a fixed `upstream`, or remove this",
            "5:51: `upstream`: `requested` is only for the relay's `upstream`; a route needs an address"),
        Mistaken(
            requested(listen: "[1080, \"*:1081\", unix:/a]"),
            "3:20: `listen`: `*:1081` can be reached from other machines, and every client of a relay with `upstream: "
                + "requested` could connect through this machine; Tapline cannot restrict such a relay's clients "
                + "(`access.allow` is not supported yet), so listen on loopback, such as 1081, or on a Unix socket"),
        Mistaken(
            relay(listen: "1080", upstream: "requested:443"),
            "4:15: `upstream`: `requested` takes no port: each client requests its own destination"),
    ]

    @Test(arguments: mistaken) func mistake_isReportedWithItsPlace_andWhatToWrite(_ mistaken: Mistaken) {
        #expect(mistakes(mistaken.text) == mistaken.mistakes)
    }
}
