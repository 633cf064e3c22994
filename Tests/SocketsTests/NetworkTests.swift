import Sockets
import Testing

struct NetworkTests {
    @Test(
        arguments: [
            ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("0.0.0.0/0", "203.0.113.9", true),
            ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.2", false), ("192.0.2.0/31", "192.0.2.1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true), ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db8::1", true), ("::1", "::1", true), ("2001:db8::/65", "2001:db8::8000:0:0:0", false),
            ("2001:db8::/65", "2001:db8::7fff:0:0:1", true), ("::/0", "192.0.2.1", false),
            ("0.0.0.0/0", "2001:db8::1", false),
        ])
    func aNetwork_holdsItsAddresses(text: String, host: String, isIn: Bool) throws {
        let network = try #require(Network(text))
        let address = try #require(SocketAddress(numericHost: host, port: 1))
        #expect(network.contains(address) == isIn)
        #expect(network.description == text)
        #expect(!network.contains(.unix(path: "/run/a")))
    }

    @Test(arguments: [
        "", "10.0.0.1/8", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/-1", "a/8", "/8",
    ])
    func invalidText_isNoNetwork(text: String) {
        #expect(Network(text) == nil)
    }
}
