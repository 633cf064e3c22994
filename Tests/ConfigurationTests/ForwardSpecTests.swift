import Testing

@testable import Configuration

@Suite struct ForwardSpecTests {
    private static let shape = ForwardSpec.shape
    private static let equalsShape = ForwardSpec.equalsShape

    @Test(arguments: [
        ("8080:example.com:80", "8080", "localhost:8080", "example.com:80"),
        ("*:8080:example.com:80", "8080", "*:8080", "example.com:80"),
        ("127.0.0.1:5433:db:5432", "5433", "127.0.0.1:5433", "db:5432"),
        ("localhost:5433:db:5432", "5433", "localhost:5433", "db:5432"),
        ("[::1]:8080:[2001:db8::1]:80", "8080", "[::1]:8080", "[2001:db8::1]:80"),
        ("8080:[::1]:80", "8080", "localhost:8080", "[::1]:80"),
        ("0:db:5432", "db-5432", "localhost:0", "db:5432"),
        ("*:0:127.0.0.1:80", "127.0.0.1-80", "*:0", "127.0.0.1:80"),
        ("0:[2001:db8::1]:80", "2001-db8-1-80", "localhost:0", "[2001:db8::1]:80"),
        ("0:[fe80::1%eth0]:80", "fe80-1-eth0-80", "localhost:0", "[fe80::1%eth0]:80"),
        ("0=unix:/run/app.sock", "app.sock", "localhost:0", "unix:/run/app.sock"),
        ("0=unix:/run/ß", "any", "localhost:0", "unix:/run/ß"),
        ("0:original-destination", "original-destination", "localhost:0", "original-destination"),
        ("8080=example.com:80", "8080", "localhost:8080", "example.com:80"),
        ("127.0.0.1:8080=unix:/run/app.sock", "8080", "127.0.0.1:8080", "unix:/run/app.sock"),
        ("unix:in.sock=[::1]:80", "in.sock", "unix:/home/in.sock", "[::1]:80"),
        ("8080=unix:/run/a=b", "8080", "localhost:8080", "unix:/run/a=b"),
        ("15001:original-destination", "15001", "localhost:15001", "original-destination"),
        ("*:15006:original-destination", "15006", "*:15006", "original-destination"),
        ("[::1]:15001=original-destination", "15001", "[::1]:15001", "original-destination"),
        ("socks:1080", "socks", "localhost:1080", "requested"),
        ("socks:127.0.0.1:0", "socks", "127.0.0.1:0", "requested"),
        ("socks:[::1]:1080", "socks", "[::1]:1080", "requested"),
        ("socks:unix:proxy.sock", "socks", "unix:/home/proxy.sock", "requested"),
        ("1080:requested", "socks", "localhost:1080", "requested"),
        ("127.0.0.1:1080=requested", "socks", "127.0.0.1:1080", "requested"),
    ])
    func spec_isRead(_ spec: String, _ name: String, _ listen: String, _ upstream: String) throws {
        let relays = try ForwardSpec.relays([spec], directory: "/home")
        #expect(relays.map(\.name) == [name])
        #expect(relays.flatMap(\.listen).map(\.description) == [listen])
        #expect(relays.map(\.upstream.description) == [upstream])
    }

    @Test func spec_hasTheTimeoutsOfForward() throws {
        let timeouts = try ForwardSpec.relays(["80:a:80"], directory: "/")[0].timeouts
        #expect(timeouts.connect == .seconds(5))
        #expect(timeouts.idle == .zero)
        #expect(timeouts.halfClose == .seconds(300))
        #expect(timeouts.lifetime == .zero)
    }

    @Test func names_areUnique_andNameAFile() throws {
        let specs = ["127.0.0.1:80:a:1", "127.0.0.2:80:a:1", "0:a:1", "0:a:1", "unix:/a/ß=a:1", "unix:/b/.x y=a:1"]
        let names = try ForwardSpec.relays(specs, directory: "/").map(\.name)
        #expect(names == ["80", "80-2", "a-1", "a-1-2", "unix", "xy"])
        for name in names { #expect(throws: Never.self) { try RelaySettings.checkedName(name) } }
    }

    @Test(arguments: [
        ("", "no destination given; \(shape)"),
        ("8080", "no destination given; \(shape)"),
        ("8080:80", "the host or the port of the destination is missing; \(shape)"),
        (":8080:a:80", "no address before the first colon (`*` is every interface); \(shape)"),
        ("*:8080:localhost", "the host or the port of the destination is missing; \(shape)"),
        ("8080::80", "no host to forward to; \(shape)"),
        (":a:80", "no port to listen on; \(shape)"),
        ("8080:a:", "no port to forward to; \(shape)"),
        ("8080:::1:80", "too many `:`; put an IPv6 address in brackets, such as 8080:[::1]:80"),
        ("8080:[::1:80", "a `[` is not closed; \(shape)"),
        ("8080=", "nothing after the `=`; \(equalsShape)"),
        ("=a:80", "nothing before the `=`; \(equalsShape)"),
        ("8080:/run/app.sock", "a Unix socket is written with `=`; \(equalsShape)"),
        ("8080:unix:/run/app.sock", "a Unix socket is written with `=`; \(equalsShape)"),
        ("8080:http://a:80", "Tapline forwards TCP, not URLs; \(shape)"),
        ("8080:a:0", "`a:0`: cannot connect to port 0; an upstream's port is from 1 to 65535"),
        (
            "unix:a=original-destination",
            "clients cannot be redirected to a Unix socket; listen on a port"
        ),
        (":original-destination", "the address is empty; write HOST:PORT"),
        ("8080=80", "`80` has no host; write HOST:80, such as localhost:80"),
        ("70000:a:80", "`70000` is not a port; a port is a number from 0 to 65535"),
        (
            "socks:*:1080",
            "`*:1080` can be reached from other machines, and every client of a relay with `upstream: requested` could "
                + "connect through this machine; Tapline cannot restrict such a relay's clients (`access.allow` is not "
                + "supported yet), so listen on loopback, such as 1080, or on a Unix socket"
        ),
        ("socks:", "the port is missing; write socks:PORT, such as socks:1080"),
        ("socks:x", "`x` has no port; write x:PORT"),
        ("8080:localhost:8080", "`localhost:8080` is a loop: `8080:localhost:8080` listens on `127.0.0.1:8080`"),
    ])
    func spec_isRefused(_ spec: String, _ message: String) {
        #expect(throws: ForwardSpecErrors(["`\(spec)`: \(message)"])) {
            try ForwardSpec.relays([spec], directory: "/home")
        }
    }

    @Test func specs_areAllReported_alsoAgainstEachOther() {
        #expect(
            throws: ForwardSpecErrors([
                "`x`: no destination given; \(Self.shape)",
                "`*:80:b:1`: port 80 on every interface is already used by `80:a:1`, which listens on 127.0.0.1:80",
            ])
        ) {
            try ForwardSpec.relays(["80:a:1", "*:80:b:1", "x"], directory: "/")
        }
    }
}
