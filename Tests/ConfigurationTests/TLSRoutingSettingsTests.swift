import Sockets
import Testing

@testable import Configuration

/// `tls_routing:` of a relay.
@Suite struct TLSRoutingSettingsTests {
    private static func routing(_ text: String) throws -> TLSRoutingSettings? {
        try read(relay("tls_routing: \(text)")).relays[0].tlsRouting
    }

    @Test func routes_withNamesProtocolsAndUpstreams() throws {
        let routing = try Self.routing(
            """
            { routes: [{ server_name: Api.Example., upstream: 10.0.0.1:443 },
                  { server_name: ["*.Example", xn--bcher-kva.example], alpn: [h2, http/1.1], upstream: h2:8443 },
                  { alpn: acme-tls/1 }], otherwise: refuse, timeout: 10s }
            """)
        let expected = TLSRoutingSettings(
            routes: [
                .init(
                    serverNames: [.exactly("api.example")],
                    upstream: .address(.ipv4(IPv4Address(bits: 0x0A00_0001), port: 443))),
                .init(
                    serverNames: [.below("example"), .exactly("xn--bcher-kva.example")],
                    applications: ["h2", "http/1.1"], upstream: .name("h2", port: 8443)),
                .init(applications: ["acme-tls/1"]),
            ], otherwise: .refuse, timeout: .seconds(10))
        #expect(routing == expected)
        #expect(
            expected.routes.map(\.description) == [
                "api.example", "*.example, xn--bcher-kva.example with ALPN h2, http/1.1", "ALPN acme-tls/1",
            ])
    }

    @Test func defaults_areTheRelaysUpstream_andThreeSeconds() throws {
        #expect(try read(relay()).relays[0].tlsRouting == nil)
        let routing = try Self.routing("{ routes: [{ server_name: a.example }] }")
        #expect(routing?.otherwise == .upstream && routing?.timeout == .seconds(3))
        #expect(try Self.routing("{ routes: [{ alpn: h2 }], timeout: 0 }")?.timeout == .zero)
    }

    /// The same name with two protocols, or with and without one, makes two routes.
    @Test func namesThatDiffer_areNoDuplicates() throws {
        let routing = try Self.routing(
            "{ routes: [{ server_name: a.b }, { server_name: a.b, alpn: h2 }, { server_name: a.b, alpn: h3 }, "
                + "{ server_name: \"*.a.b\" }, { alpn: h2 }] }")
        #expect(routing?.routes.count == 5)
    }

    private static func mistaken(_ routing: String, _ mistake: String...) -> Mistaken {
        var mistaken = Mistaken(relay("tls_routing: \(routing)"))
        mistaken.mistakes = mistake
        return mistaken
    }

    static let mistaken: [Mistaken] = [
        mistaken(
            "{ routes: [{ server_name: a.example }, { server_name: A.Example., upstream: b:1 }] }",
            "5:72: `server_name`: duplicate route for `a.example`, first on line 5"),
        mistaken(
            "\n      routes:\n        - { server_name: [a, \"*.b\"], alpn: [h2, x] }\n"
                + "        - { alpn: x, server_name: [c, \"*.b\"] }\n        - { alpn: x }\n        - { alpn: x }",
            "8:39: `server_name`: duplicate route for `*.b` with ALPN `x`, first on line 7",
            "10:19: `alpn`: duplicate route for ALPN `x`, first on line 9"),
        mistaken(
            "{ routes: [{ server_name: [a, a] }] }",
            "5:48: `server_name`: duplicate route for `a`, first on line 5"),
        mistaken("{ otherwise: refuse }", "5:18: `tls_routing` has no `routes`"),
        mistaken("{ routes: [] }", "5:28: `routes`: at least one route is needed"),
        mistaken("{ routes: { server_name: a } }", "5:28: `routes`: must be a list; begin each route with `-`"),
        mistaken("{ routes: [a] }", "5:29: route 1 must be a mapping with the keys `server_name`, `alpn`, `upstream`"),
        mistaken(
            "{ routes: [{ upstream: a:1 }] }",
            "5:29: route 1 matches no client; write a `server_name`, such as api.example.com or \"*.example.com\", or an `alpn`"
        ),
        mistaken("{ routes: [{ server_name: [] }] }", "5:44: `server_name`: at least one entry is needed"),
        mistaken(
            "{ routes: [{ server_names: a, alpn: h2 }] }",
            "5:31: unknown key `server_names`; did you mean `server_name`?"),
        mistaken(
            "{ routes: [{ server_name: \"*\" }, { server_name: a.*.b }] }",
            "5:44: `server_name`: `*`: `*` is allowed only as the first part of a name, such as *.example.com; "
                + "clients of other names go to the relay's `upstream`",
            "5:66: `server_name`: `a.*.b`: `*` is allowed only as the first part of a name, such as *.example.com; "
                + "clients of other names go to the relay's `upstream`"),
        mistaken(
            "{ routes: [{ server_name: 10.0.0.1 }, { server_name: \"2001:db8::1\" }] }",
            "5:44: `server_name`: `10.0.0.1` is an address, but TLS server names are "
                + "host names (RFC 6066); write a host name",
            "5:71: `server_name`: `2001:db8::1` is an address, but TLS server names "
                + "are host names (RFC 6066); write a host name"
        ),
        mistaken(
            "{ routes: [{ server_name: bücher.example }] }",
            "5:44: `server_name`: `bücher.example` is not ASCII; write the name's ASCII form (xn--…)"),
        mistaken(
            "{ routes: [{ alpn: \"h2 h3\" }] }",
            "5:37: `alpn`: `h2 h3` is not an application protocol; write its "
                + "ALPN name, such as h2, http/1.1, acme-tls/1"),
        mistaken(
            "{ routes: [{ alpn: h2 }], timeout: 500ms, otherwise: reject }",
            "5:53: `timeout`: 500ms is too short to retransmit a lost packet; write at least 1s, or 0 for no limit",
            "5:71: `otherwise`: `reject` is not one of upstream, refuse"),
        mistaken(
            "{ routes: [{ alpn: h2, upstream: \"*:1\" }] }",
            "5:51: `upstream`: `*:1`: `*` stands for every interface; an upstream is one host"),
        mistaken(
            "{ routes: [{ alpn: h2, upstream: localhost:8080 }] }",
            "5:51: `upstream`: `localhost:8080` is a loop: relay `web` on line 3 listens on `127.0.0.1:8080`"),
        // A common mistake: a star that YAML reads as something else.
        mistaken(
            "{ routes: [{ server_name: *.example }] }",
            "5:44: `*.example`: an unquoted `*` begins a YAML alias; quote it: \"*.example\""),
    ]

    @Test(arguments: mistaken) func mistake_isReportedWithItsPlace_andWhatToWrite(_ mistaken: Mistaken) {
        #expect(mistakes(mistaken.text) == mistaken.mistakes)
    }
}
