import Configuration
import EventLoop
import Glibc
import Sockets
import TestSupport
import Testing

@testable import Relay

/// Clients that are held until their upstream is up (`timeouts.wait`). The clock is the test's.
@Suite struct UpstreamWaitTests {
    private static let refused = DialFailure(reason: .connectRefused, errno: Errno(ECONNREFUSED), address: nil)

    // MARK: When to try again

    @Test func attempts_comeAfterPausesThatGrow_andTheLastWhenTheWaitEnds() {
        let wait = UpstreamWait(since: 1000, limit: 2000)
        var now: UInt64 = 1000
        var pauses: [UInt64] = []
        while wait.hold(after: Self.refused, at: now), let next = wait.retryAt {
            pauses.append(next - now)
            now = next
            wait.retry()
        }
        #expect(pauses == [50, 100, 200, 400, 500, 500, 250])
        #expect(now == 3000 && wait.failures == 8)
    }

    @Test func failure_thatDoesNotPass_isNotTriedAgain() {
        let wait = UpstreamWait(since: 0, limit: 1000)
        #expect(!wait.hold(after: DialFailure(reason: .loop, errno: nil, address: nil), at: 0))
    }

    @Test(
        arguments: [
            (EndReason.connectRefused, nil, true), (.connectTimeout, nil, true), (.nameNotFound, nil, true),
            (.nameLookupFailed, nil, true), (.connectUnreachable, ENOENT, true),
            (.connectUnreachable, ENETUNREACH, true),
            (.connectUnreachable, EHOSTUNREACH, true), (.connectUnreachable, EACCES, false),
            (.connectUnreachable, ENOTDIR, false), (.connectUnreachable, EAFNOSUPPORT, false), (.loop, nil, false),
            (.noLocalPort, nil, false), (.overLimit, EMFILE, false), (.internalError, nil, false),
        ] as [(EndReason, CInt?, Bool)])
    func failure_mayPass_onlyIfTheUpstreamMayComeUp(reason: EndReason, code: CInt?, mayPass: Bool) {
        let failure = DialFailure(reason: reason, errno: code.map { Errno($0) }, address: nil)
        #expect(failure.mayPass == mayPass)
    }

    @Test func hold_endsWhenTheAttemptThatSucceededBegan() {
        let wait = UpstreamWait(since: 1000, limit: 2000)
        #expect(wait.hold(after: Self.refused, at: 1010) && wait.isHolding && wait.held(at: 1200) == 200)
        wait.end(at: 1500, isConnected: true)
        let facts = HoldFacts(
            held: 500, limit: 2000, failures: 1, reason: .connectRefused, errno: Errno(ECONNREFUSED),
            isConnected: true)
        #expect(!wait.isHolding && wait.facts(at: 9000) == facts)
    }

    @Test func connectTime_isCountedWithoutTheHold() {
        var stats = RelayStats()
        stats.count(
            bytesUp: 0, bytesDown: 0, splicedUp: 0, splicedDown: 0, connectDuration: 12_003_000_000, held: 12_000,
            startedAt: 0, now: 0)
        #expect(stats.connectTimes.sum == 3_000_000 && stats.connectTimes.count == 1)
    }

    // MARK: Connections

    /// Runs a body with a worker whose relay forwards to an address and holds clients. The address is chosen when the
    /// test is alone in the process, after the peers of earlier tests are closed.
    private func hold(
        _ makeUpstream: @autoclosure () throws -> SocketAddress, timeouts: Timeouts, _ body: (OneWorker) throws -> Void
    ) async throws {
        try await LoopHarness.run { harness in
            let upstream = try makeUpstream()
            try OneWorker.run(
                port: 1, timeouts: timeouts, harness, change: { $0.upstream = .address(upstream) }, body)
        }
    }

    /// Lets time pass on the test's clock, and lets attempts that take a turn of the loop finish.
    private func letPass(_ milliseconds: UInt64, _ worker: OneWorker) {
        for _ in 0..<milliseconds / Worker.sweepPeriod {
            worker.letPass(Worker.sweepPeriod)
            worker.harness.loop.turn(wait: false)
        }
    }

    private func awaitHeld(_ worker: OneWorker) throws {
        try worker.turn(until: "a client is held") { worker.shared.heldClients == 1 }
    }

    @Test func upstreamThatComesUp_isConnected_andTheBytesAreRight() async throws {
        let timeouts = Timeouts(connect: .seconds(60), wait: .seconds(3600))
        var address: SocketAddress?
        func free() throws -> SocketAddress {
            let port = try PeerListener.freePort()
            address = port
            return port
        }
        try await hold(try free(), timeouts: timeouts) { worker in
            let client = try worker.clients(1)[0]
            try awaitHeld(worker)
            try client.send(upBytes, 0..<message)
            letPass(60_000, worker)
            let held = try worker.live()
            #expect(held.wait == .upstreamUp)
            let hold = try #require(held.record.hold)
            #expect(hold.limit == 3_600_000 && hold.held >= 60_000 && hold.failures > 100 && !hold.isConnected)
            #expect(hold.reason == .connectRefused && hold.errno?.code == ECONNREFUSED)
            let kind = RelayStats.ConnectFailure(endpoint: held.record.upstream, reason: .connectRefused)
            let stats = try worker.stats()
            #expect(stats.connectFailures == [kind: hold.failures])
            let recent = stats.recentConnects.summary(at: worker.harness.loop.now)
            #expect(recent.failed == hold.failures && recent.isFailing)

            let listener = try PeerListener(try #require(address))
            worker.letPass(600)
            let upstream = try worker.accept(listener)
            try worker.result(of: Background("request") { try upstream.receive(upBytes, 0..<message) })
            #expect(worker.shared.heldClients == 0)
            let record = try worker.finish(client, upstream)
            let facts = try #require(record.hold)
            #expect(record.bytesUp == UInt64(message) && facts.isConnected && facts.reason == .connectRefused)
            #expect(record.attempts == facts.failures + 1 && facts.held >= 60_000 && facts.held < 62_000)
            // The end adds no failure, and the success is one connect.
            #expect(try worker.stats().connectFailures == [kind: facts.failures])
            let connects = try worker.stats().recentConnects.summary(at: worker.harness.loop.now)
            #expect(connects.failed == facts.failures && connects.attempts == facts.failures + 1)
        }
    }

    @Test func wait_thatIsOver_endsWithTheReasonOfTheLastAttempt_andNotBefore() async throws {
        let timeouts = Timeouts(connect: .seconds(60), wait: .seconds(900))
        try await hold(try PeerListener.refusingAddress(), timeouts: timeouts) { worker in
            let client = try worker.clients(1)[0]
            try awaitHeld(worker)
            letPass(800_000, worker)
            #expect(worker.endedCount == 0)
            letPass(110_000, worker)
            let record = try worker.ended()[0]
            #expect(record.summary == .init(.connectRefused, up: 0, down: 0, errno: "ECONNREFUSED"))
            let hold = try #require(record.hold)
            #expect(!hold.isConnected && hold.held >= 900_000 && hold.failures == record.attempts)
            // Each attempt is counted once, the last one, too.
            #expect(try worker.stats().connectFailures.values.reduce(0, +) == record.attempts)
            #expect(try client.receiveToEnd(downBytes) == .reset(0))
            #expect(worker.shared.heldClients == 0)
        }
    }

    @Test func upstreamThatDoesNotAnswer_hasTheConnectTimeoutForEachAttempt() async throws {
        let timeouts = Timeouts(connect: .seconds(300), wait: .seconds(1000))
        try await hold(try PeerListener.blackHole().address, timeouts: timeouts) { worker in
            let client = try worker.clients(1)[0]
            worker.letPass(310_000)
            try awaitHeld(worker)
            let hold = try worker.live().record.hold
            #expect(hold?.reason == .connectTimeout, "\(String(describing: hold))")
            // 300 s: three further attempts, and their pauses.
            worker.letPass(660_000)
            #expect(worker.endedCount == 0)
            worker.letPass(340_000)
            #expect(try worker.ended()[0].end?.reason == .connectTimeout)
            #expect(try client.receiveToEnd(downBytes) == .reset(0))
        }
    }

    @Test func unixSocket_whoseFileAppears_isConnected() async throws {
        try await TemporaryFolder.run { folder in
            let address = SocketAddress.unix(path: folder + "/late")
            try await hold(address, timeouts: Timeouts(wait: .seconds(3600))) { worker in
                let client = try worker.clients(1)[0]
                try awaitHeld(worker)
                #expect(try worker.live().record.hold?.errno?.code == ENOENT)
                let listener = try PeerListener(address)
                worker.letPass(600)
                try worker.finish(client, try worker.accept(listener))
            }
        }
    }

    @Test func client_thatResetsWhileHeld_endsAtOnce() async throws {
        try await hold(try PeerListener.refusingAddress(), timeouts: Timeouts(wait: .seconds(3600))) { worker in
            let client = try worker.clients(1)[0]
            try awaitHeld(worker)
            try client.reset()
            #expect(try worker.ended()[0].end?.reason == .clientReset)
            #expect(worker.shared.heldClients == 0)
        }
    }

    @Test func heldClients_areRefusedOnRequest_withTheReasonOfTheLastAttempt() async throws {
        try await hold(try PeerListener.refusingAddress(), timeouts: Timeouts(wait: .seconds(3600))) { worker in
            let clients = try worker.clients(3)
            try worker.turn(until: "all are held") { worker.shared.heldClients == 3 }
            worker.post(.refuseHeld)
            let records = try worker.ended(3)
            for record in records { #expect(record.end?.reason == .connectRefused && record.hold != nil) }
            #expect(
                try worker.stats().connectFailures.values.reduce(0, +)
                    == records.reduce(0) { $0 + ($1.hold?.failures ?? 0) })
            for client in clients { #expect(try client.receiveToEnd(downBytes) == .reset(0)) }
            #expect(worker.shared.heldClients == 0)
        }
    }

    @Test func lifetime_endsAHeldClient() async throws {
        let timeouts = Timeouts(lifetime: .seconds(300), wait: .seconds(3600))
        try await hold(try PeerListener.refusingAddress(), timeouts: timeouts) { worker in
            _ = try worker.clients(1)
            try awaitHeld(worker)
            letPass(310_000, worker)
            #expect(try worker.ended()[0].end?.reason == .lifetime)
        }
    }

    @Test func withoutWait_aFailedAttemptEndsTheConnection() async throws {
        try await hold(try PeerListener.refusingAddress(), timeouts: Timeouts()) { worker in
            _ = try worker.clients(1)
            let record = try worker.ended()[0]
            #expect(record.end?.reason == .connectRefused && record.hold == nil && record.attempts == 1)
            #expect(try worker.stats().connectFailures.values.reduce(0, +) == 1)
        }
    }

    // MARK: One client only

    @Test(arguments: [1, 3]) func acceptsOnlyOne_firstClientIsServed_othersAreRefused(workers: Int) async throws {
        var tuning = RelayService.Tuning()
        tuning.acceptsOnlyOne = true
        try await RelayHarness.run(workers: workers, tuning: tuning) { relay, listener in
            let address = try relay.listener()
            let (client, upstream) = try relay.pair(listener)
            try Deadline.poll("nothing listens any more") {
                guard let other = try? Peer.connect(to: address) else { return true }
                other.close()
                return false
            }
            try client.send(upBytes, 0..<message)
            try upstream.receive(upBytes, 0..<message)
            client.close()
            upstream.close()
            #expect(try relay.end().end?.reason == .clientClosed)
        }
    }
}
