import Configuration
import Relay
import TestSupport
import Testing

/// `FAULTS.md`, "Resources and upstream trouble": a peer that has vanished, and one that only does not read.
@Suite(.enabled(if: Peer.canVanish, "the system refuses a filter to ordinary users")) struct DeadPeerFaultTests {
    /// The peers' own sockets drop every segment, so to the relay they have vanished. Another peer answers window
    /// probes during that time, and its connection must stay.
    @Test func peersVanishWithDataUnsent_areTimedOut_andOneThatDoesNotReadStays() async throws {
        var tuning = RelayService.Tuning()
        tuning.deadPeerAfter = .seconds(1)
        try await RelayHarness.run(receiveBuffer: 4 << 10, tuning: tuning) { relay, listener in
            let (client, clientsUpstream) = try relay.pair(listener)
            let (upstreamsClient, upstream) = try relay.pair(listener)
            let (reads, sleeps) = try relay.pair(listener)
            let size = try reads.sendUntilStalled(upBytes)
            try client.vanish()
            try upstream.vanish()
            try clientsUpstream.send(downBytes, 0..<message)
            try upstreamsClient.send(upBytes, 0..<message)
            let clientsEnd = try relay.end(of: client)
            let upstreamsEnd = try relay.end(of: upstreamsClient)
            #expect(clientsEnd.summary == .init(.clientTimedOut, up: 0, down: message, errno: "ETIMEDOUT"))
            #expect(upstreamsEnd.summary == .init(.upstreamTimedOut, up: message, down: 0, errno: "ETIMEDOUT"))
            #expect((clientsEnd.end?.duration ?? 0) >= 1_000_000_000)
            #expect(try clientsUpstream.receiveToEnd(upBytes) == .reset(0))
            #expect(try upstreamsClient.receiveToEnd(downBytes) == .reset(0))
            // The sleeping peer has waited as long as the others, several times the limit.
            #expect(relay.endedCount == 2)
            reads.endWriting()
            #expect(try sleeps.receiveToEnd(upBytes, piece: 64 << 10) == .fin(size))
            sleeps.close()
            #expect(try relay.end(of: reads).summary == .init(.clientClosed, up: size, down: 0))
        }
    }

    @Test func deadPeerOff_vanishedPeerStays() async throws {
        var tuning = RelayService.Tuning()
        tuning.deadPeerAfter = .zero
        try await RelayHarness.run(tuning: tuning) { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            try upstream.vanish()
            try client.send(upBytes, 0..<message)
            Deadline.letPass(.seconds(4))
            #expect(relay.endedCount == 0)
        }
    }
}
