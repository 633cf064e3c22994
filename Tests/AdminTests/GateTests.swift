import Relay
import Testing

@testable import Admin

/// Which requests are admitted.
struct GateTests {
    private func request(
        _ path: String = "/v1/status", _ method: String = "GET", host: String? = "127.0.0.1:9180",
        origin: String? = nil, site: String? = nil, authorization: String? = nil
    ) -> Gate.Request {
        Gate.Request(
            method: method, path: path, host: host, origin: origin, fetchSite: site,
            authorization: authorization)
    }

    private func refusal(_ request: Gate.Request, hosts: [String] = [], token: String? = nil) -> String? {
        do {
            _ = try Gate(hosts: hosts, token: token).admit(request)
            return nil
        } catch {
            return error.code
        }
    }

    @Test(arguments: [
        "127.0.0.1", "127.0.0.1:9180", "10.1.2.3:80", "[::1]", "[::1]:9180", "[2001:db8::1]:1", "localhost",
        "LocalHost:9180", "localhost.:9180", "tapline.internal", "TAPLINE.internal:80", "a.localhost",
    ])
    func ownHosts_areGood(_ host: String) {
        #expect(refusal(request(host: host), hosts: ["tapline.Internal"]) == nil)
    }

    @Test(arguments: [
        nil, "", ":80", "evil.example", "evil.example:9180", "127.0.0.1.evil.example", "localhost.evil.example",
        "localhost:x", "localhost:99999", "[::1", "[evil]:80", "[::1]x", "127.0.0.1:9180:80", "0x7f.1",
        "user@localhost", "localhost, evil.example", "evil.example\\localhost", "internal",
        "localhost:+80", "localhost:-0", "localhost:", "[::1]:+80", ".localhost", "a..localhost", "localhost..", ".",
        "tapline..internal",
    ])
    func otherHosts_areForeign(_ host: String?) {
        #expect(refusal(request(host: host), hosts: ["tapline.internal"]) == "foreign_host")
        #expect(refusal(request("/healthz", host: host), hosts: ["tapline.internal"]) == "foreign_host")
    }

    /// Clients send the socket's path, another word, or nothing: a browser cannot connect to a Unix socket.
    @Test(arguments: [nil, "", "d", "evil.example", "%2Frun%2Ftapline.sock", "/run/a.sock", "localhost"])
    func anyHost_isGoodOnAUnixSocket(_ host: String?) throws {
        let gate = Gate(hosts: [], token: nil, acceptsAnyHost: true)
        #expect(try gate.admit(request("/readyz", host: host)) == .readyz)
        #expect(throws: AdminError.foreignOrigin("http://evil")) {
            try gate.admit(request(host: host, origin: "http://evil"))
        }
        var repeated = request(host: host)
        repeated.isHostRepeated = true
        #expect(throws: AdminError.badRequest("duplicate Host header")) { try gate.admit(repeated) }
    }

    @Test func head_isKnownWhereGetIs_andNowhereElse() throws {
        let gate = Gate(hosts: [], token: nil)
        let shown = [
            "/", "/page.css", "/page.js", "/healthz", "/readyz", "/metrics", "/v1/status", "/v1/relays",
            "/v1/connections", "/v1/closed", "/v1/tap", "/v1/events", "/v1/relays/a/recording", "/v1/connections/5",
        ]
        for path in shown { #expect(try gate.admit(request(path, "HEAD")) == gate.admit(request(path))) }
        for path in ["/v1/reload", "/v1/drain", "/v1/shutdown"] {
            let error = #expect(throws: AdminError.self) { try gate.admit(request(path, "HEAD")) }
            #expect(error?.status == 405 && error?.fields["Allow"] == "POST", "\(path)")
        }
        let error = #expect(throws: AdminError.self) { try gate.admit(request("/readyz", "OPTIONS")) }
        #expect(error?.status == 405 && error?.fields["Allow"] == "GET, HEAD")
    }

    @Test(arguments: [
        ("http://127.0.0.1:9180", true), ("https://127.0.0.1:9180", true), ("HTTP://127.0.0.1:9180", true),
        ("null", false), ("http://127.0.0.1", false), ("http://127.0.0.1:9181", false), ("http://evil.example", false),
        ("http://127.0.0.1:9180.evil.example", false), ("", false),
    ])
    func origin_mustBeOwn(_ origin: String, _ isGood: Bool) {
        #expect(refusal(request(origin: origin)) == (isGood ? nil : "foreign_origin"))
        #expect(refusal(request("/v1/drain", "POST", origin: origin)) == (isGood ? nil : "foreign_origin"))
    }

    @Test func otherSites_mayLinkToThePage_andNothingElse() {
        for site in ["cross-site", "same-site", "Cross-Site", "SAME-SITE", "none, cross-site", "other"] {
            for path in ["/v1/status", "/page.css", "/page.js"] {
                #expect(refusal(request(path, site: site)) == "foreign_origin")
            }
            #expect(refusal(request("/", site: site)) == nil)
        }
        for site in ["same-origin", "none", "Same-Origin"] { #expect(refusal(request(site: site)) == nil) }
    }

    @Test func repeatedHost_isRefused() {
        var request = request()
        request.isHostRepeated = true
        #expect(refusal(request) == "bad_request")
    }

    @Test func token_isAskedForEverywhere_butForProbesAndThePage() {
        for path in ["/healthz", "/readyz", "/", "/page.css", "/page.js"] {
            #expect(refusal(request(path), token: "secret-token") == nil)
        }
        for path in ["/metrics", "/v1/status", "/v1/events", "/nowhere"] {
            #expect(refusal(request(path), token: "secret-token") == "unauthorized")
            #expect(
                refusal(request(path, authorization: "Bearer secret-token"), token: "secret-token")
                    == (path == "/nowhere" ? "not_found" : nil))
        }
    }

    @Test(arguments: [
        ("Bearer secret-token", true), ("bearer secret-token", true), ("BEARER secret-token", true),
        ("Bearer secret-toke", false), ("Bearer secret-tokenx", false), ("Bearer  secret-token", false),
        ("Basic secret-token", false), ("secret-token", false), ("", false), ("Bearer ", false),
        ("Bearer SECRET-TOKEN", false),
    ])
    func token_isComparedWhole(_ authorization: String, _ isGood: Bool) {
        #expect(Gate.isToken(authorization, "secret-token") == isGood)
    }

    @Test func methods_areNamed() throws {
        let gate = Gate(hosts: [], token: nil)
        let error = #expect(throws: AdminError.self) { try gate.admit(request("/v1/connections/5", "PUT")) }
        #expect(error?.status == 405 && error?.fields["Allow"] == "GET, HEAD, DELETE")
        #expect(try gate.admit(request("/v1/connections/5", "DELETE")) == .connection(5))
    }

    @Test(arguments: [
        "", "v1/status", "//", "/v1", "/v1/", "/v1/status/", "/v1/../v1/status", "/../../etc/passwd",
        "/%2e%2e/etc/passwd",
        "/v1/connections/", "/v1/connections/+1", "/v1/connections/01", "/v1/connections/0", "/v1/connections/-1",
        "/v1/connections/18446744073709551616",
        "/v1/connections/5/x", "/v1/relays/web", "/v1/relays//recording", "/v1/relays/%zz/recording",
        "/v1/relays/%ff/recording", "/v1/relays/a/b/recording", "http://127.0.0.1/v1/status", "*", "/page.html",
        "/page.js/", "/page", "/elements.js", "/Script/elements.js",
    ])
    func otherPaths_areNowhere(_ path: String) {
        #expect(Route(path: path) == nil)
    }

    @Test func relayNames_areDecoded() {
        #expect(Route(path: "/v1/relays/a%20b/recording") == .recording(relay: "a b"))
        #expect(Route(path: "/v1/relays/..%2f..%2fetc/recording") == .recording(relay: "../../etc"))
    }
}

/// The part of a URL after the question mark.
struct QueryTests {
    @Test func everyParameter_isRead() throws {
        let query = try Query(parsing: "relay=a%20b&sort=-rate_up&limit=5", of: .connections)
        #expect(query.relay == "a b" && query.limit == 5)
        #expect(query.sort == Query.Sort(key: .rateUp, isReversed: true))
        let closed = try Query(parsing: "reason=killed,idle_timeout&since=9&relay=a+b", of: .closed)
        #expect(closed.reasons == [.killed, .idleTimeout] && closed.since == 9 && closed.relay == "a b")
        #expect(try Query(parsing: "connection=3", of: .tap).connection == 3)
        #expect(try Query(parsing: nil, of: .status) == Query())
        #expect(try Query(parsing: "", of: .status) == Query())
    }

    @Test(arguments: [
        ("sort=size", "invalid `sort` `size`"), ("limit=-1", "invalid `limit` `-1`"),
        ("limit=10001", "from 0 to 10000"),
        ("limit=1&limit=2", "duplicate parameter `limit`"),
        ("x=1", "unknown parameter `x`; valid parameters: relay, sort, limit"),
        ("relay=%zz", "malformed percent-encoding"), ("reason=killed", "unknown parameter `reason`"),
    ])
    func mistakes_areReported(_ text: String, _ message: String) {
        let error = #expect(throws: AdminError.self) { try Query(parsing: text, of: .connections) }
        #expect(error?.status == 400 && error?.message.contains(message) == true, "\(String(describing: error))")
    }

    @Test func reasons_areOfTheList() {
        let error = #expect(throws: AdminError.self) { try Query(parsing: "reason=boredom", of: .closed) }
        #expect(error?.message == "`boredom` is not an end reason")
    }
}

/// The route for a request's target.
struct TargetAuthorityTests {
    @Test(arguments: [
        ("/v1/status", nil), ("*", nil), ("", nil), ("/http://a/", nil), ("ftp://a/", nil), ("localhost:80", nil),
        ("http://localhost:1/v1/tap?relay=a", "localhost:1"), ("HTTPS://a", "a"), ("http://a?x", "a"),
        ("http://a#/x", "a"), ("http://user@a/", "user@a"), ("http:///v1", ""),
    ])
    func urlNamesIt_andAPathDoesNot(_ target: String, _ authority: String?) {
        #expect(TargetAuthority.find(in: target) == authority)
    }
}
