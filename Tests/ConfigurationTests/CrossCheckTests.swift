import Testing

@testable import Configuration

@Suite struct CrossCheckTests {
    /// Relays `r1`, `r2` … of a listener and an upstream each; their listeners are in lines 3, 6, 9 …
    private func relays(_ pairs: [(listen: String, upstream: String)]) -> String {
        pairs.enumerated().reduce("relays:\n") {
            $0 + "  - name: r\($1.offset + 1)\n    listen: \($1.element.listen)\n    upstream: \($1.element.upstream)\n"
        }
    }

    @Test(arguments: [
        ("80", "80", "port 80 on localhost is already used by relay `r1` (line 3)"),
        ("80", "127.0.0.1:80", "port 80 on 127.0.0.1 is already used by relay `r1` (line 3)"),
        ("'[::1]:80'", "localhost:80", "port 80 on localhost is already used by relay `r1` (line 3)"),
        (
            "'*:80'", "127.0.0.1:80",
            "port 80 on 127.0.0.1 is already used by relay `r1` (line 3), which listens on 0.0.0.0:80"
        ),
        (
            "192.0.2.1:80", "'*:80'",
            "port 80 on every interface is already used by relay `r1` (line 3), which listens on 192.0.2.1:80"
        ),
        (
            "'[2001:db8::1]:80'", "'[::]:80'",
            "port 80 on [::] is already used by relay `r1` (line 3), which listens on [2001:db8::1]:80"
        ),
        (
            "0.0.0.0:80", "80",
            "port 80 on localhost is already used by relay `r1` (line 3), which listens on 0.0.0.0:80"
        ),
        ("unix:/run/a", "unix:/run/./a", "`unix:/run/a` is already used by relay `r1` (line 3)"),
    ])
    func listeners_areRefused_whereTheyOverlap(_ first: String, _ second: String, _ message: String) {
        let text = relays([(first, "a:1"), (second, "a:1")])
        #expect(mistakes(text) == ["6:13: `listen`: \(message)"])
    }

    @Test(arguments: [
        ("80", "81"), ("0", "0"), ("127.0.0.1:80", "127.0.0.2:80"), ("127.0.0.1:80", "'[::1]:80'"),
        ("0.0.0.0:80", "'[::1]:80'"), ("0.0.0.0:80", "'[::]:80'"), ("'*:0'", "127.0.0.1:0"), ("unix:/a", "unix:/b"),
    ])
    func listeners_areAccepted_whereTheyDoNotOverlap(_ first: String, _ second: String) {
        #expect(mistakes(relays([(first, "a:1"), (second, "a:1")])) == [])
    }

    @Test func listeners_areRefused_whereOneRelayNamesThemTwice() {
        #expect(
            mistakes(relay(listen: "[80, localhost:80]")) == [
                "3:18: `listen`: port 80 on localhost is already used by relay `web` (line 3)"
            ])
    }

    @Test func listeners_areRefused_whereTheAdminServerListens() {
        #expect(
            mistakes("admin: { listen: 8080 }\n" + relay()) == [
                "4:13: `listen`: port 8080 on localhost is already used by `admin` (line 1)"
            ])
    }

    @Test func names_areRefused_whereTheyRepeat() {
        let text = relays([("80", "a:1"), ("81", "a:1")]).replacing("r2", with: "r1")
        #expect(mistakes(text) == ["5:11: `name`: duplicate relay name `r1`, first used on line 2"])
    }

    @Test(arguments: [
        ("80", "127.0.0.1:80", "`127.0.0.1:80`", "`127.0.0.1:80`"),
        ("80", "'[::1]:80'", "`[::1]:80`", "`[::1]:80`"),
        ("80", "localhost:80", "`localhost:80`", "`127.0.0.1:80`"),
        ("80", "LocalHost.:80", "`LocalHost.:80`", "`127.0.0.1:80`"),
        ("'*:80'", "127.5.0.1:80", "`127.5.0.1:80`", "`0.0.0.0:80`"),
        ("'*:80'", "'[::1]:80'", "`[::1]:80`", "`[::]:80`"),
        ("'[::]:80'", "localhost:80", "`localhost:80`", "`[::]:80`"),
        ("192.0.2.1:80", "192.0.2.1:80", "`192.0.2.1:80`", "`192.0.2.1:80`"),
        ("unix:/run/a", "unix:/run/a", "`unix:/run/a`", "`unix:/run/a`"),
    ])
    func upstream_isRefused_whereItIsAListenerOfOurs(
        _ listen: String, _ upstream: String, _ named: String, _ listener: String
    ) {
        let message = "`upstream`: \(named) is a loop: relay `r2` on line 6 listens on \(listener)"
        #expect(mistakes(relays([("99", upstream), (listen, "a:1")])) == ["4:15: \(message)"])
    }

    @Test(arguments: [
        ("80", "127.0.0.2:80"), ("80", "localhost:81"), ("'*:80'", "192.0.2.1:80"), ("0.0.0.0:80", "'[::1]:80'"),
        ("80", "example.com:80"), ("0", "127.0.0.1:80"),
    ])
    func upstream_isAccepted_whereItIsNone(_ listen: String, _ upstream: String) {
        #expect(mistakes(relays([(listen, upstream)])) == [])
    }

    @Test func upstream_isAccepted_whereItIsTheAdminServer() {
        #expect(mistakes("admin: {}\n" + relay(listen: "80", upstream: "127.0.0.1:9180")) == [])
    }
}
