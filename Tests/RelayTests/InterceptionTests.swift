import Configuration
import Sockets
import TestSupport
import Testing

@testable import Relay

/// Relays that take each client to where it wanted to go, as far as that needs no rules of the system.
@Suite struct InterceptionTests {
    private static let near = SocketAddress.ipv4(IPv4Address(bits: 0x0A4D_0001), port: 40_000)
    private static let far = SocketAddress.ipv4(IPv4Address(bits: 0x0A4D_0002), port: 80)

    /// Nothing redirects here: the system knows of no destination, or says that it is the listener's own.
    @Test(arguments: [SocketAddress.ipv4(.loopback, port: 0), .ipv6(.loopback, port: 0)])
    func clientThatComesStraightToTheListener_isRefused(listen: SocketAddress) async throws {
        try await Exclusive.run {
            let relay = RelaySettings(name: "relay", listen: [.address(listen)], upstream: .originalDestination)
            try await RelayHarness.runAlone([relay]) { relay in
                let client = try relay.connect()
                #expect(try client.receiveToEnd(downBytes) == .reset(0))
                let record = try relay.end()
                #expect(record.end?.reason == .destinationRefused && record.end?.reason.closedBy == .tapline)
                #expect(record.upstream == "original-destination" && record.connectDuration == nil)
                if record.refusal == .unknown {
                    #expect(["ENOENT", "ENOPROTOOPT"].contains(record.end?.errno?.name))
                    #expect(record.upstreamAddress == nil)
                } else {
                    #expect(record.refusal == .notRedirected && record.upstreamAddress == record.listener)
                }
            }
        }
    }

    /// What one connection opens, another accepts: whichever notes it second finds it.
    @Test func connectionThatComesBack_isFoundFromEitherEnd() {
        for acceptsFirst in [true, false] {
            let paths = InterceptedPaths()
            let opener = Interception(to: Self.far, paths)
            let acceptor = Interception(to: Self.far, paths)
            let (first, second) = acceptsFirst ? (acceptor, opener) : (opener, acceptor)
            #expect(!first.comesBack(Self.near) && first.refusal == nil)
            #expect(second.comesBack(Self.near) && second.refusal == .ownTraffic)
            // It has not taken what the other holds.
            second.end()
            #expect(Interception(to: Self.far, paths).comesBack(Self.near))
            first.end()
            #expect(!Interception(to: Self.far, paths).comesBack(Self.near))
        }
    }

    @Test func pairs_differByEitherEnd_andNotByTheInterface() {
        let paths = InterceptedPaths()
        let one = Interception(to: Self.far, paths)
        #expect(!one.comesBack(Self.near) && !one.comesBack(Self.near.with(port: 40_001)))
        #expect(!Interception(to: Self.far.with(port: 81), paths).comesBack(Self.near))
        let link = IPv6Address(high: 0xFE80_0000_0000_0000, low: 1)
        let other = Interception(to: .ipv6(link, port: 80, scope: 2), paths)
        #expect(!other.comesBack(.ipv6(link, port: 4711, scope: 2)))
        #expect(Interception(to: .ipv6(link, port: 80), paths).comesBack(.ipv6(link, port: 4711)))
        #expect(!Interception(to: nil, paths).comesBack(Self.near) && !one.comesBack(nil))
    }

    @Test func warning_isGivenOnceInTenSeconds() {
        let paths = InterceptedPaths()
        let second: UInt64 = 1_000_000_000
        let told = [1, 2, 10, 11, 12, 30].map { paths.mayTell($0 * second) }
        #expect(told == [true, false, false, true, false, true])
    }
}
