import TestSupport
import Testing

@testable import TLS

/// What is chosen: certificates by name, application protocols, allowed names.
@Suite struct ChoiceTests {
    @Test func certificates_areGroupedByName() {
        let choice = CertificateChoice(
            [["a.example"], ["b.example", "*.wild.example"], ["a.example"], ["a.example"]], [1, 1, 2, 2])
        #expect(choice.groups == [[0, 2], [1]])
        #expect(choice.exact == ["a.example": 0, "b.example": 1])
        #expect(choice.wildcards == [".wild.example": 1])
        #expect(CertificateChoice([[]], [1]).groups == [[0]])
    }

    @Test func certificate_isChosenByServerName() throws {
        let authority = try TestAuthority()
        let server = try Contexts.server(
            ["DNS:default.example", "DNS:*.wild.example", "DNS:exact.wild.example"].map {
                try Contexts.credential(authority.issue(.init(names: [$0])))
            })
        let client = try Contexts.client(trusting: authority, verify: .chain)
        for (name, expected) in [
            ("default.example", "default.example"), ("unknown.example", "default.example"),
            ("a.wild.example", "*.wild.example"), ("EXACT.wild.example", "exact.wild.example"),
            ("a.b.wild.example", "default.example"), ("wild.example", "default.example"),
        ] {
            let pair = try Pair(server, client, name: name)
            try pair.establish()
            #expect(pair.client.peerCertificate?.dnsNames == [expected], "\(name)")
        }
        let nameless = try Pair(server, client, name: "127.0.0.1", isAddress: true)
        try nameless.establish()
        #expect(nameless.client.peerCertificate?.dnsNames == ["default.example"])
        #expect(nameless.server.serverName == nil)
    }

    @Test(arguments: [
        ("a.example", "a.example", true), ("*.example", "a.example", true), ("*.example", "a.b.example", false),
        ("*.example", "example", false), ("*.example", ".example", false), ("a.example", "b.example", false),
        ("*.*", "a.b", true), ("*.*", "a.b.c", false), ("a.*.example", "a.b.example", true), ("*", "a", true),
        ("*.example", "*.example", false),
    ])
    func dnsPattern(_ pattern: String, _ name: String, _ matches: Bool) {
        #expect(TLSAllowList.matches(pattern, dns: name) == matches)
    }

    @Test(arguments: [
        ("a.example", true), ("*.example", true), ("*.*", true), ("a.*.example", true), ("*", true),
        ("we*.internal", false), ("**.internal", false), ("a..b", false), ("", false), ("a.internal.", false),
    ])
    func dnsPattern_isPossible(_ pattern: String, _ isPossible: Bool) {
        #expect(TLSAllowList.isPossible(dns: pattern) == isPossible)
    }

    @Test(arguments: [
        ("spiffe://a/b", "spiffe://a/b", true), ("spiffe://a/*", "spiffe://a/b", true),
        ("spiffe://a/*", "spiffe://a/b/c", false), ("spiffe://a/**", "spiffe://a/b/c", true),
        ("spiffe://a/**/z", "spiffe://a/b/c/z", true), ("spiffe://a/**/z", "spiffe://a/b/c/y", false),
        ("spiffe://a/*/sa/*", "spiffe://a/ns/sa/web", true), ("spiffe://a/w*b", "spiffe://a/web", true),
        ("spiffe://a/w*b", "spiffe://a/w/b", false), ("*", "spiffe://a", false), ("**", "spiffe://a", true),
        ("spiffe://a", "spiffe://a/b", false), ("", "spiffe://a", false),
    ])
    func uriPattern(_ pattern: String, _ uri: String, _ matches: Bool) {
        #expect(TLSAllowList.matches(pattern, uri: uri) == matches)
    }

    @Test func uriPattern_ofManyStars_isMatchedInBoundedTime() {
        #expect(
            !TLSAllowList.matches(String(repeating: "*a", count: 100), uri: String(repeating: "a", count: 500) + "b"))
    }

    @Test func application_positionsInTheClientsList() {
        let offered: [UInt8] = TLSContext.encode(applications: ["http/1.1", "h2"])
        #expect(ALPN.choose(TLSContext.encode(applications: ["h2", "http/1.1"]), from: offered) == 9)
        #expect(ALPN.choose(TLSContext.encode(applications: ["h3", "http/1.1"]), from: offered) == 0)
        #expect(ALPN.choose(TLSContext.encode(applications: ["h"]), from: offered) == nil)
        #expect(ALPN.choose([], from: offered) == nil)
    }
}
