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

    /// Connecting to an unspecified address reaches this machine: `0.0.0.0` its IPv4, `::` the loopback of either
    /// family.
    @Test func noAddress_isThisMachineItself() {
        let none4 = SocketAddress.ipv4(.any, port: 80)
        let none6 = SocketAddress.ipv6(.any, port: 80)
        let loopback4 = SocketAddress.ipv4(.loopback, port: 80)
        let loopback6 = SocketAddress.ipv6(.loopback, port: 80)
        for (listener, by4, by6) in [
            (loopback4, true, true), (loopback6, false, true), (none4, true, true), (none6, false, true),
            (.ipv4(IPv4Address(bits: 0xC000_0207), port: 80), false, false), (loopback4.with(port: 81), false, false),
            (none6.with(port: 81), false, false), (.unix(path: "/a"), false, false),
        ] {
            #expect(contains([listener], none4) == by4, "0.0.0.0 and \(listener)")
            #expect(contains([listener], none6) == by6, ":: and \(listener)")
        }
        #expect(contains([none6], .ipv6(.any, port: 80, scope: 1)))
    }

    /// A zone names the interface, not the machine; but link-local addresses of two zones are two addresses.
    @Test func zone_ofOurOwnAddress_isOurs() throws {
        let global = IPv6Address(high: 0xFD00_0000_0000_0000, low: 7)
        let linkLocal = IPv6Address(high: 0xFE80_0000_0000_0000, low: 7)
        let wildcard = OwnListeners([.ipv6(.any, port: 80)])
        let local: Set<SocketAddress> = [.ipv6(global, port: 0), .ipv6(linkLocal, port: 0)]
        for ip in [global, linkLocal, .loopback] {
            #expect(wildcard.contains(.ipv6(ip, port: 80, scope: 2)) { local }, "\(ip)")
            #expect(!wildcard.contains(.ipv6(ip, port: 81, scope: 2)) { local }, "\(ip)")
        }
        let foreign = IPv6Address(high: 0xFE80_0000_0000_0000, low: 8)
        #expect(!wildcard.contains(.ipv6(foreign, port: 80, scope: 2)) { local })
        #expect(contains([.ipv6(.loopback, port: 80)], .ipv6(.loopback, port: 80, scope: 1)))
        #expect(contains([.ipv6(global, port: 80)], .ipv6(global, port: 80, scope: 2)))
        #expect(contains([.ipv6(linkLocal, port: 80, scope: 2)], .ipv6(linkLocal, port: 80, scope: 2)))
        #expect(!contains([.ipv6(linkLocal, port: 80, scope: 2)], .ipv6(linkLocal, port: 80, scope: 3)))
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
