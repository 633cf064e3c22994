import Configuration
import Sockets
import TestSupport
import Testing

@testable import Relay

/// Relays that forward each client to its original destination, as far as that needs no firewall rules.
@Suite struct InterceptionTests {
    private static let near = SocketAddress.ipv4(IPv4Address(bits: 0x0A4D_0001), port: 40_000)
    private static let far = SocketAddress.ipv4(IPv4Address(bits: 0x0A4D_0002), port: 80)

    /// Nothing redirects here: the system knows no original destination, or reports the listener's own address.
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

    /// A connection that one side opens and the other accepts is found from whichever side is noted second.
    @Test func connectionThatComesBack_isFoundFromEitherEnd() {
        let paths = InterceptedPaths()
        let (opener, acceptor) = (Interception(to: Self.far, paths), Interception(to: Self.far, paths))
        #expect(!opener.comesBack(Self.near, 0))
        #expect(acceptor.isOwn(Self.near, 0))
        // It has not taken the other's entry.
        acceptor.end(wasAnswered: false, 0)
        #expect(Interception(to: Self.far, paths).isOwn(Self.near, 0))
        opener.end(wasAnswered: true, 0)
        #expect(!acceptor.isOwn(Self.near, 0))
        #expect(opener.comesBack(Self.near, 0))
        acceptor.end(wasAnswered: false, 0)
        #expect(!opener.comesBack(Self.near, 0))
    }

    /// It may still be in the accept queue when its opener has ended, and has sent nothing yet.
    @Test func connectionThatComesBackLate_isFoundForSomeSeconds() {
        let paths = InterceptedPaths()
        let opener = Interception(to: Self.far, paths)
        let period = InterceptedPaths.period
        #expect(!opener.comesBack(Self.near, 0))
        opener.end(wasAnswered: false, period - 1)
        for now in [period, 2 * period - 1] { #expect(Interception(to: Self.far, paths).isOwn(Self.near, now)) }
        #expect(!Interception(to: Self.far, paths).isOwn(Self.near, 5 * period))
    }

    /// A client that reuses its port before its previous connection is forgotten is not one of Tapline's own
    /// connections.
    @Test func samePort_again_isNoLoop() {
        let paths = InterceptedPaths()
        let (former, latter) = (Interception(to: Self.far, paths), Interception(to: Self.far, paths))
        #expect(!former.isOwn(Self.near, 0) && !latter.isOwn(Self.near, 0))
        former.end(wasAnswered: false, 0)
        // The other connection's pair is still present.
        #expect(Interception(to: Self.far, paths).comesBack(Self.near, 0))
        latter.end(wasAnswered: false, 0)
        #expect(!former.comesBack(Self.near, 0) && !latter.comesBack(Self.near, 0))
    }

    @Test func pairs_differByEitherEnd_andNotByTheInterface() {
        let paths = InterceptedPaths()
        let one = Interception(to: Self.far, paths)
        #expect(!one.isOwn(Self.near, 0) && !one.comesBack(Self.near.with(port: 40_001), 0))
        #expect(!Interception(to: Self.far.with(port: 81), paths).comesBack(Self.near, 0))
        let link = IPv6Address(high: 0xFE80_0000_0000_0000, low: 1)
        let other = Interception(to: .ipv6(link, port: 80, scope: 2), paths)
        #expect(!other.isOwn(.ipv6(link, port: 4711, scope: 2), 0))
        #expect(Interception(to: .ipv6(link, port: 80), paths).comesBack(.ipv6(link, port: 4711), 0))
        #expect(!Interception(to: nil, paths).isOwn(Self.near, 0) && !one.comesBack(nil, 0))
    }

    @Test func warning_isGivenOnceInTenSeconds() {
        let paths = InterceptedPaths()
        let second: UInt64 = 1_000_000_000
        let warned = [1, 2, 10, 11, 12, 30].map { paths.mayWarn($0 * second) }
        #expect(warned == [true, false, false, true, false, true])
    }
}
