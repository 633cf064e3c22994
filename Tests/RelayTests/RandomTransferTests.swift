import Configuration
import Glibc
import Relay
import Sockets
import TestSupport
import Testing

/// Random transfers in both directions at once: sizes, pieces, slow readers, half-closes, resets, urgent bytes. Every
/// byte and every record is checked. A failure names its seed; `TAPLINE_TEST_SEED` runs it again.
@Suite struct RandomTransferTests {
    private static let transfersPerLane = 250
    private static let seed: UInt64 = getenv("TAPLINE_TEST_SEED").flatMap { UInt64(String(cString: $0)) } ?? 20_261_122

    /// The addresses on both sides of a relay.
    private struct Lane: Sendable {
        let name: String
        let listen: ListenAddress
        let upstream: SocketAddress
        var isTCP: Bool {
            if case .unix = listen { return false }
            return !upstream.isUnix
        }
    }

    private static func lanes(_ folder: String) -> [Lane] {
        let loopback = ListenAddress.address(.ipv4(.loopback, port: 0))
        return [
            Lane(name: "tcp", listen: loopback, upstream: .ipv4(.loopback, port: 0)),
            Lane(name: "loopbacks", listen: .loopback(port: 0), upstream: .ipv4(.loopback, port: 0)),
            Lane(
                name: "from-unix", listen: .unix(path: folder + "/listen", mode: 0o600),
                upstream: .ipv4(.loopback, port: 0)),
            Lane(name: "to-unix", listen: loopback, upstream: .unix(path: folder + "/upstream")),
        ]
    }

    @Test(arguments: RelayHarness.Pump.allCases)
    func transfers_byChance_everyByteIsRight(pump: RelayHarness.Pump) async throws {
        try await TemporaryFolder.run { folder in
            try await Exclusive.run {
                let lanes = Self.lanes(folder)
                let listeners = try lanes.map { try PeerListener($0.upstream) }
                let settings = zip(lanes, listeners).map { lane, listener in
                    RelaySettings(name: lane.name, listen: [lane.listen], upstream: .address(listener.address))
                }
                try await RelayHarness.runAlone(settings, pump: pump, workers: 2) { relay in
                    let threads = try zip(lanes, listeners).enumerated().map { number, pair in
                        try Background(pair.0.name) {
                            let seed = Self.seed &+ UInt64(number) &* 1_000_003
                            try Self.run(pair.0, pair.1, relay, seed: seed)
                        }
                    }
                    for thread in threads { try thread.value(within: .seconds(600)) }
                    #expect(relay.endedCount == lanes.count * Self.transfersPerLane)
                }
            }
        }
    }

    private static func run(_ lane: Lane, _ listener: PeerListener, _ relay: RelayHarness, seed: UInt64) throws {
        for number in 0..<transfersPerLane {
            var random = SeededRandom(seed: seed &+ UInt64(number))
            var (client, upstream) = (
                Script.random(&random, isTCP: lane.isTCP), Script.random(&random, isTCP: lane.isTCP)
            )
            switch Int.random(in: 0..<8, using: &random) {
            case 0, 1: client.ending = .finAfterTheOther
            case 2, 3: upstream.ending = .finAfterTheOther
            case 4 where lane.isTCP: client.ending = .reset
            case 5 where lane.isTCP: upstream.ending = .reset
            default: break
            }
            do {
                let record = try transfer(lane, listener, relay, client, upstream, number, &random)
                try check(record, client, upstream)
            } catch {
                throw TestFailure(
                    "TAPLINE_TEST_SEED=\(Self.seed), transfer \(number) of \(lane.name): \(error) "
                        + "(client \(client), upstream \(upstream))")
            }
        }
    }

    private static func transfer(
        _ lane: Lane, _ listener: PeerListener, _ relay: RelayHarness, _ client: Script, _ upstream: Script,
        _ number: Int, _ random: inout SeededRandom
    ) throws -> ConnectionRecord {
        let (up, down) = (Pattern(seed: random.next()), Pattern(seed: random.next()))
        let isSmall = lane.isTCP && Int.random(in: 0..<4, using: &random) == 0
        let family = lane.name == "loopbacks" && Bool.random(using: &random) ? relay.families(lane.name).last : nil
        let here = try Peer.connect(
            to: relay.listener(lane.name, family: family), receiveBuffer: isSmall ? 4 << 10 : nil)
        let there = try listener.accept()
        let other = try Background("upstream") {
            var exchange = Exchange(there, upstream, outgoing: down, incoming: up)
            let (count, ending) = try exchange.run()
            return Outcome(count: count, ending: ending)
        }
        var exchange = Exchange(here, client, outgoing: up, incoming: down)
        let result = try exchange.run()
        try Outcome(count: result.count, ending: result.ending).check("client", client, upstream)
        try other.value().check("upstream", upstream, client)
        return try relay.lastEnded(number + 1, of: lane.name)
    }

    private struct Outcome: Sendable {
        var count: Int
        var ending: Peer.Ending?

        /// A side that resets may have received less; a side that reads to the end has received everything.
        func check(_ name: String, _ mine: Script, _ others: Script) throws {
            if mine.ending == .reset { return }
            let wanted: Peer.Ending = others.ending == .reset ? .reset : .fin
            guard count == others.count, ending == wanted else {
                throw TestFailure("the \(name) got \(count) of \(others.count) bytes and \(ending as Any)")
            }
        }
    }

    private static func check(_ record: ConnectionRecord, _ client: Script, _ upstream: Script) throws {
        var reasons: [EndReason] = [.clientClosed, .upstreamClosed]
        if client.ending == .finAfterTheOther { reasons = [.upstreamClosed] }
        if upstream.ending == .finAfterTheOther { reasons = [.clientClosed] }
        if client.ending == .reset { reasons = [.clientReset] }
        if upstream.ending == .reset { reasons = [.upstreamReset] }
        // Bytes to a side that reset may be cut anywhere.
        guard let reason = record.end?.reason, reasons.contains(reason),
            upstream.ending == .reset || record.bytesUp == UInt64(client.count),
            client.ending == .reset || record.bytesDown == UInt64(upstream.count)
        else { throw TestFailure("the record says \(record.summary.testDescription)") }
    }
}

extension RelayHarness {
    /// The address families in which a relay listens.
    func families(_ relay: String) -> [CInt] {
        service.listeners.filter { $0.relay == relay }.map(\.address.family)
    }
}
