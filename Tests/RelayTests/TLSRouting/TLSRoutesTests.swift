import Configuration
import Sockets
import TLSHello
import TestSupport
import Testing

@testable import Relay

/// The route that matches a hello.
@Suite struct TLSRoutesTests {
    private static let settings = TLSRoutingSettings(routes: [
        route(["a.example"], [], 1), route(["a.example"], ["h2", "h3"], 2), route(["a.example"], ["http/1.1"], 3),
        route(["*.example"], [], 4), route(["*.b.example"], ["h2"], 5), route(["*.c.example", "c.example"], [], nil),
        route([], ["acme-tls/1"], 6), route([], ["h2"], 7),
    ])

    private static func route(
        _ names: [String], _ applications: [String], _ port: UInt16?
    ) -> TLSRoutingSettings.Route {
        .init(
            serverNames: names.map { $0.hasPrefix("*.") ? .below(String($0.dropFirst(2))) : .exactly($0) },
            applications: applications, upstream: port.map { .name("to", port: $0) })
    }

    private func taken(_ name: String?, _ applications: [String]) throws -> TLSRoutes.Route? {
        let bytes = ClientHello(name: name, applications: applications).bytes()
        let routes = TLSRoutes(Self.settings, upstream: .name("relay", port: 443))
        return routes.route(for: try #require(Hello(beginningOf: bytes[...])))
    }

    @Test(
        arguments: [
            // The name itself, in any case, with or without the root dot.
            ("a.example", [], "to:1", "a.example"), ("A.EXAMPLE", [], "to:1", "a.example"),
            ("a.example.", [], "to:1", "a.example"),
            // The client's own order; a route with a protocol precedes one without.
            ("a.example", ["h2", "http/1.1"], "to:2", "a.example with ALPN h2"),
            ("a.example", ["http/1.1", "h2"], "to:3", "a.example with ALPN http/1.1"),
            ("a.example", ["x", "h3"], "to:2", "a.example with ALPN h3"), ("a.example", ["x"], "to:1", "a.example"),
            // A name precedes a protocol alone.
            ("a.example", ["acme-tls/1"], "to:1", "a.example"),
            // At any depth the longest matching wildcard wins, but not for the name itself or for names that only end
            // alike.
            ("x.example", [], "to:4", "*.example"), ("y.x.example", ["h2"], "to:4", "*.example"),
            ("x.b.example", ["h2"], "to:5", "*.b.example with ALPN h2"),
            ("z.y.x.b.example", ["h2"], "to:5", "*.b.example with ALPN h2"),
            // Its protocol does not match, so the next route is tried.
            ("x.b.example", ["h3"], "to:4", "*.example"), ("b.example", ["h2"], "to:4", "*.example"),
            ("x.notexample", ["h2"], "to:7", "ALPN h2"), ("example", [], nil, nil), (".example", [], nil, nil),
            ("..example", [], nil, nil), ("a..example", [], nil, nil),
            // Without an upstream: the relay's.
            ("c.example", [], "relay:443", "c.example"), ("x.c.example", [], "relay:443", "*.c.example"),
            // No name.
            (nil, [], nil, nil), (nil, ["acme-tls/1"], "to:6", "ALPN acme-tls/1"), ("other", ["h2"], "to:7", "ALPN h2"),
            ("other", ["http/1.1"], nil, nil), (nil, ["http/1.1", "h2", "acme-tls/1"], "to:7", "ALPN h2"),
        ] as [(String?, [String], String?, String?)])
    func theMostSpecificRoute_takesIt(_ row: (name: String?, applications: [String], upstream: String?, by: String?))
        throws
    {
        let route = try taken(row.name, row.applications)
        #expect(route?.destination.text == row.upstream)
        #expect(route?.pattern == row.by)
    }

    @Test func order_meansNothing() throws {
        var reversed = Self.settings
        reversed.routes.reverse()
        let bytes = ClientHello(name: "x.b.example", applications: ["h2"]).bytes()
        let hello = try #require(Hello(beginningOf: bytes[...]))
        let route = TLSRoutes(reversed, upstream: .name("relay", port: 443)).route(for: hello)
        #expect(route?.destination.text == "to:5")
    }

    /// The record's facts about it are escaped and short.
    @Test func facts_areBoundedAndHarmless() throws {
        var hello = ClientHello(applications: ["a,b", "\u{1B}[2J"] + Array(repeating: "protocol", count: 200))
        hello.name = Array(repeating: 0x0A, count: 255)
        let facts = TLSFacts(try #require(Hello(beginningOf: hello.bytes()[...])), route: nil)
        #expect(facts.serverName == String(repeating: "\\x0a", count: 255))
        #expect(facts.applications?.hasPrefix("a\\x2cb,\\x1b[2J,protocol,") == true)
        #expect(facts.applications?.hasSuffix(",...") == true && (facts.applications?.utf8.count ?? 0) <= 260)
        #expect(facts.version == "TLS 1.3" && facts.route == nil && facts.fault == nil)
    }
}
