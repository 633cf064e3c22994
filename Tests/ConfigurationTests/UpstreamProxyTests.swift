import Testing

@testable import Configuration

/// `upstream_proxy`.
@Suite struct UpstreamProxyTests {
    @Test(
        arguments: [
            ("socks5://proxy.example:1080", .socks5, "proxy.example:1080", nil, nil),
            ("http://10.0.0.1:3128", .http, "10.0.0.1:3128", nil, nil),
            ("http://[::1]:3128/", .http, "[::1]:3128", nil, nil),
            ("socks5://me:a%40b%3Ac@p:1", .socks5, "p:1", "me", "a@b:c"),
        ] as [(String, UpstreamProxySettings.Scheme, String, String?, String?)])
    func url_isRead(
        _ text: String, _ scheme: UpstreamProxySettings.Scheme, _ address: String, _ user: String?, _ password: String?
    ) throws {
        let proxy = try UpstreamProxySettings(parsing: text)
        #expect(proxy.scheme == scheme && proxy.address.description == address)
        #expect(proxy.credentials?.user == user && proxy.credentials?.password == password)
        if let password { #expect(!"\(proxy) \(proxy.credentials as Any)".contains(password)) }
    }

    @Test(
        arguments: [
            "proxy:1080", "socks4://p:1", "https://p:1", "socks5://p", "socks5://", "socks5://unix:/run/a",
            "http://p:1/x",
            "socks5://requested", "socks5://secret@p:1", "socks5://:secret@p:1", "socks5://u:@p:1",
            "socks5://u:secret%@p:1",
            "socks5://u:secret%0a@p:1", "socks5://u:secret@p:0", "socks5://u:secret@p", "http://u:secret@p:1/x",
        ])
    func otherText_isRefused_withoutItsCredentials(_ text: String) {
        #expect {
            try UpstreamProxySettings(parsing: text)
        } throws: { error in
            !"\(error)".contains("secret")
        }
    }

    @Test func credentials_comeFromTheEnvironment() throws {
        let configuration = try read(
            relay("upstream_proxy: socks5://${LOGIN}@p:1080"), environment: ["LOGIN": "me:secret"])
        #expect(configuration.relays.first?.upstreamProxy?.credentials?.password == "secret")
        let text = relay("upstream_proxy: socks5://${LOGIN}@p:x")
        #expect(mistakes(text, environment: ["LOGIN": "me:secret"]).allSatisfy { !$0.contains("secret") })
    }

    static let mistaken: [Mistaken] = [
        Mistaken(
            relay("upstream_proxy: proxy:1080"),
            "5:21: `upstream_proxy`: must be socks5://HOST:PORT or http://HOST:PORT, with an optional USER:PASSWORD@ before "
                + "HOST"),
        Mistaken(
            relay("upstream_proxy: socks5://u@p:1080"),
            "5:21: `upstream_proxy`: USER and PASSWORD must have 1 to 255 bytes each, percent-encoded (%40 for @, %3A for "
                + ":, %25 for %)"),
        Mistaken(
            relay(listen: "8080", upstream: "unix:/run/a\n    upstream_proxy: http://p:1"),
            "4:15: `upstream`: a proxy cannot connect to a Unix socket of this machine; remove `upstream_proxy`, or write "
                + "another upstream"),
        Mistaken(
            relay(listen: "8080", upstream: "original-destination\n    upstream_proxy: http://p:1"),
            "4:15: `upstream`: `original-destination` cannot be combined with `upstream_proxy`; remove `upstream_proxy`, or "
                + "write another upstream"),
        Mistaken(
            relay("upstream_proxy: http://localhost:8080"),
            "5:21: `upstream_proxy`: `localhost:8080` is a loop: relay `web` on line 3 listens on `127.0.0.1:8080`"),
    ]

    @Test(arguments: mistaken) func mistake_isReportedWithItsPlace_andWhatToWrite(_ mistaken: Mistaken) {
        #expect(mistakes(mistaken.text) == mistaken.mistakes)
    }
}
