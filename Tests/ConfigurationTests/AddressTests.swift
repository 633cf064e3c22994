import Sockets
import Testing

@testable import Configuration

@Suite struct AddressTests {
    private static let v6 = IPv6Address(high: 0x2001_0DB8_0000_0000, low: 1)
    private static let linkLocal = IPv6Address(high: 0xFE80_0000_0000_0000, low: 1)

    @Test(
        arguments: [
            ("8080", .loopback(port: 8080), "localhost:8080"),
            ("0", .loopback(port: 0), "localhost:0"),
            ("65535", .loopback(port: 65535), "localhost:65535"),
            ("localhost:80", .loopback(port: 80), "localhost:80"),
            ("LOCALHOST.:80", .loopback(port: 80), "localhost:80"),
            ("*:80", .everyInterface(port: 80), "*:80"),
            ("127.0.0.1:80", .address(.ipv4(.loopback, port: 80)), "127.0.0.1:80"),
            ("0.0.0.0:80", .address(.ipv4(.any, port: 80)), "0.0.0.0:80"),
            ("[2001:DB8:0::1]:80", .address(.ipv6(v6, port: 80)), "[2001:db8::1]:80"),
            ("[::]:0", .address(.ipv6(.any, port: 0)), "[::]:0"),
            ("[::ffff:127.0.0.1]:80", .address(.ipv4(.loopback, port: 80)), "127.0.0.1:80"),
            ("unix:/run/a.sock", .unix(path: "/run/a.sock", mode: 0o660), "unix:/run/a.sock"),
            ("unix:a.sock", .unix(path: "/etc/t/a.sock", mode: 0o660), "unix:/etc/t/a.sock"),
            ("unix:///run//./a", .unix(path: "/run/a", mode: 0o660), "unix:/run/a"),
            ("unix:@abstract", .unix(path: "@abstract", mode: 0o660), "unix:@abstract"),
        ] as [(String, ListenAddress, String)])
    func listen_isRead_andItsTextReadsTheSame(_ text: String, _ address: ListenAddress, _ shown: String) throws {
        let read = try ListenAddress(parsing: text, directory: "/etc/t")
        #expect(read == address)
        #expect(read.description == shown)
        #expect(try ListenAddress(parsing: shown, directory: "/") == address)
    }

    @Test(arguments: [
        ("", "the address is empty; write HOST:PORT"),
        ("65536", "`65536` is not a port; a port is a number from 0 to 65535"),
        ("-1", "`-1` is not a port; a port is a number from 0 to 65535"),
        ("9223372036854775808", "`9223372036854775808` is not a port; a port is a number from 0 to 65535"),
        (":80", "`:80` has no host; write 80 for loopback, *:80 for every interface"),
        ("localhost", "`localhost` has no port; write localhost:PORT"),
        ("127.0.0.1:", "`127.0.0.1:` has no port; a port is a number from 0 to 65535"),
        ("127.0.0.1:http", "`http` is not a port; a port is a number from 0 to 65535"),
        ("127.0.0.1:+80", "`+80` is not a port; a port is a number from 0 to 65535"),
        ("::1:8080", "`::1:8080`: more than one `:`; put an IPv6 address in brackets, such as [::1]:8080"),
        ("::1", "`::1`: more than one `:`; put an IPv6 address in brackets, such as [::1]:PORT"),
        ("[::1]", "`[::1]` has no port; write [IPv6]:PORT, such as [::1]:8080"),
        ("[::1", "`[::1` has no closing `]`; write [IPv6]:PORT, such as [::1]:8080"),
        ("[127.0.0.1]:80", "`127.0.0.1` is not an IPv6 address; brackets are only for IPv6 addresses"),
        ("[fe80::1%no0such]:80", "`fe80::1%no0such`: this system has no interface `no0such`"),
        (
            "[fe80::1]:80",
            "`fe80::1` is a link-local address and needs the interface, such as [fe80::1%eth0]:80; `ip -br link` lists the interfaces"
        ),
        (
            "[febf:ffff::1]:0",
            "`febf:ffff::1` is a link-local address and needs the interface, such as [febf:ffff::1%eth0]:0; `ip -br link` lists the interfaces"
        ),
        ("http://a:80", "`http://a:80`: Tapline forwards TCP, not URLs; write HOST:PORT without `http://`"),
        (
            "example.com:80",
            "cannot listen on `example.com`: not an IP address; write an address of this machine, `localhost`, or `*` for every interface"
        ),
        ("unix:", "`unix:` has no path; write unix:/run/app.sock"),
        ("unix:@", "`unix:@` has no path; write unix:/run/app.sock"),
        ("unix:/run/", "`unix:/run/` is a directory; name the socket in it, such as unix:/run/app.sock"),
        ("unix:/run/..", "`unix:/run/..` is a directory; name the socket in it, such as unix:/run/app.sock"),
        ("unix:.", "`unix:.` is a directory; name the socket in it, such as unix:/run/app.sock"),
        ("unix:/a\0b", "`/a\\0b`: a path cannot contain a NUL character"),
        ("unix:~/a", "`~/a`: `~` is not expanded; write `${HOME}` or the absolute path"),
    ])
    func listen_isRefused(_ text: String, _ message: String) {
        #expect(throws: ValueError(message)) { try ListenAddress(parsing: text, directory: "/etc/t") }
    }

    @Test(arguments: ["x.sock", "./x", "a/b"])
    func relativePath_withoutAWorkingDirectory_isAnError_andNothingElseIs(_ path: String) throws {
        let message = "`\(path)` is relative, and the working directory no longer exists; write an absolute path"
        #expect(throws: ValueError(message)) { try ListenAddress(parsing: "unix:\(path)", directory: "") }
        #expect(throws: ValueError(message)) { try UpstreamAddress(parsing: "unix:\(path)", directory: "") }
        for text in ["8080", "unix:/run/a.sock", "unix:@name"] {
            #expect(try ListenAddress(parsing: text, directory: "") == ListenAddress(parsing: text, directory: "/etc"))
        }
    }

    @Test func unixPath_isBounded_afterItWasMadeAbsolute() throws {
        let longest = String(repeating: "x", count: SocketAddress.longestUnixPath - "/etc/t/".count)
        #expect(throws: Never.self) { try ListenAddress(parsing: "unix:\(longest)", directory: "/etc/t") }
        let shown = "/etc/t/" + String(repeating: "x", count: 73)
        #expect(throws: ValueError("the path `\(shown)…` is 108 bytes long; the limit for a Unix socket is 107")) {
            try ListenAddress(parsing: "unix:\(longest)x", directory: "/etc/t")
        }
    }

    @Test(
        arguments: [
            (.loopback(port: 1), [.ipv4(.loopback, port: 1), .ipv6(.loopback, port: 1)]),
            (.everyInterface(port: 1), [.ipv4(.any, port: 1), .ipv6(.any, port: 1)]),
            (.address(.ipv4(.loopback, port: 1)), [.ipv4(.loopback, port: 1)]),
            (.unix(path: "/a", mode: 0), [.unix(path: "/a")]),
        ] as [(ListenAddress, [SocketAddress])])
    func listen_bindsItsSocketAddresses(_ listen: ListenAddress, _ addresses: [SocketAddress]) {
        #expect(listen.socketAddresses == addresses)
    }

    @Test(
        arguments: [
            ("example.com:80", .name("example.com", port: 80), "example.com:80"),
            ("Example.COM.:80", .name("Example.COM.", port: 80), "Example.COM.:80"),
            ("_srv.my-host:1", .name("_srv.my-host", port: 1), "_srv.my-host:1"),
            ("localhost:80", .name("localhost", port: 80), "localhost:80"),
            ("192.0.2.1:80", .address(.ipv4(IPv4Address(bits: 0xC000_0201), port: 80)), "192.0.2.1:80"),
            ("[2001:db8::1]:80", .address(.ipv6(v6, port: 80)), "[2001:db8::1]:80"),
            ("unix:a.sock", .address(.unix(path: "/etc/t/a.sock")), "unix:/etc/t/a.sock"),
            ("unix:@abstract", .address(.unix(path: "@abstract")), "unix:@abstract"),
            ("[fe80::1%lo]:80", .linkLocal(linkLocal, zone: "lo", port: 80), "[fe80::1%lo]:80"),
            // The system ignores the zone of other addresses: two spellings of one address become one.
            ("[2001:db8::1%lo]:80", .address(.ipv6(v6, port: 80)), "[2001:db8::1]:80"),
        ] as [(String, UpstreamAddress, String)])
    func upstream_isRead_andItsTextReadsTheSame(_ text: String, _ address: UpstreamAddress, _ shown: String) throws {
        let read = try UpstreamAddress(parsing: text, directory: "/etc/t")
        #expect(read == address)
        #expect(read.description == shown)
        #expect(try UpstreamAddress(parsing: shown, directory: "/") == address)
    }

    @Test(arguments: [
        ("8080", "`8080` has no host; write HOST:8080, such as localhost:8080"),
        ("*:80", "`*:80`: `*` stands for every interface; an upstream is one host"),
        ("0.0.0.0:80", "`0.0.0.0:80` stands for every interface; an upstream is one host"),
        ("[::]:80", "`[::]:80` stands for every interface; an upstream is one host"),
        (
            "[fe80::1]:80",
            "`fe80::1` is a link-local address and needs the interface, such as [fe80::1%eth0]:80; `ip -br link` lists the interfaces"
        ),
        ("[fe80::1%no0such]:80", "`fe80::1%no0such`: this system has no interface `no0such`"),
        ("a:0", "`a:0`: cannot connect to port 0; an upstream's port is from 1 to 65535"),
        ("a:65536", "`65536` is not a port; a port is a number from 0 to 65535"),
        ("127.1:80", "`127.1` is not an IPv4 address; write four numbers, such as 127.0.0.1"),
        ("0x7f000001:80", "`0x7f000001` is not an IPv4 address; write four numbers, such as 127.0.0.1"),
        ("127.0.0.01:80", "`127.0.0.01` is not an IPv4 address; write four numbers, such as 127.0.0.1"),
        ("bücher.example:80", "`bücher.example` is not ASCII; write the name's ASCII form (xn--…)"),
        ("a..b:80", "`a..b` is not a host name; its parts have 1 to 63 letters, digits and inner hyphens"),
        ("-a:80", "`-a` is not a host name; its parts have 1 to 63 letters, digits and inner hyphens"),
        ("a b:80", "`a b` is not a host name; its parts have 1 to 63 letters, digits and inner hyphens"),
        (".:80", "`.` is not a host name; its parts have 1 to 63 letters, digits and inner hyphens"),
        ("https://a/", "`https://a/`: Tapline forwards TCP, not URLs; write HOST:PORT without `https://`"),
    ])
    func upstream_isRefused(_ text: String, _ message: String) {
        #expect(throws: ValueError(message)) { try UpstreamAddress(parsing: text, directory: "/etc/t") }
    }
}
