import Sockets
import Testing

@testable import Relay

@Suite struct OwnListenersTests {
    private let local: Set<SocketAddress> = [
        .ipv4(IPv4Address(bits: 0xC000_0207), port: 0),
        .ipv6(IPv6Address(high: 0xFD00_0000_0000_0000, low: 7), port: 0),
    ]

    private func contains(_ listeners: [SocketAddress], _ address: SocketAddress) -> Bool {
        OwnListeners(listeners).contains(address) { local }
    }

    @Test func address_boundExactly_isOurs() {
        let listener = SocketAddress.ipv4(.loopback, port: 80)
        #expect(contains([listener], listener))
        #expect(!contains([listener], .ipv4(.loopback, port: 81)))
        #expect(!contains([listener], .ipv4(IPv4Address(bits: 0xC000_0207), port: 80)))
        #expect(!contains([listener], .ipv6(.loopback, port: 80)))
        #expect(!contains([], listener))
        #expect(contains([.unix(path: "/a")], .unix(path: "/a")))
        #expect(!contains([.unix(path: "/a")], .unix(path: "/b")))
    }

    @Test func port_boundOnEveryInterface_isOursAtEveryAddressOfTheMachine() {
        let wildcard = SocketAddress.ipv4(.any, port: 80)
        #expect(contains([wildcard], .ipv4(.loopback, port: 80)))
        #expect(contains([wildcard], .ipv4(IPv4Address(bits: 0x7F01_0203), port: 80)))
        #expect(contains([wildcard], .ipv4(.any, port: 80)))
        #expect(contains([wildcard], .ipv4(IPv4Address(bits: 0xC000_0207), port: 80)))
        #expect(!contains([wildcard], .ipv4(IPv4Address(bits: 0xC000_0208), port: 80)))
        #expect(!contains([wildcard], .ipv4(.loopback, port: 81)))
        #expect(!contains([wildcard], .ipv6(.loopback, port: 80)), "each family has a socket of its own")
        let six = SocketAddress.ipv6(.any, port: 80)
        #expect(contains([six], .ipv6(IPv6Address(high: 0xFD00_0000_0000_0000, low: 7), port: 80)))
        #expect(!contains([six], .ipv4(.loopback, port: 80)))
    }

    @Test func localAddresses_portThatIsNotOurs_areNotAskedFor() {
        let listeners = OwnListeners([.ipv4(.any, port: 80), .ipv4(.loopback, port: 81)])
        let isOurs = listeners.contains(.ipv4(IPv4Address(bits: 0xC000_0207), port: 81)) {
            Issue.record("the interfaces were asked for")
            return []
        }
        #expect(!isOurs)
    }
}
