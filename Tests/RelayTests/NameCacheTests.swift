import Configuration
import EventLoop
import Sockets
import TestSupport
import Testing

@testable import Relay

/// What the cache keeps, and what happens when the name service fails or is silent.
@Suite struct NameCacheTests {
    private static let here = SocketAddress.ipv4(.loopback, port: 0)

    /// Answers expire at once, so that every client that may start a lookup does.
    private func run(
        _ terms: NameCache.Terms = .init(goodFor: 0, badFor: 0), _ body: (OneWorker, PeerListener) throws -> Void
    ) async throws {
        try await LoopHarness.run { harness in
            let listener = try PeerListener()
            let port = try #require(listener.address.port)
            try OneWorker.run(port: port, terms: terms, harness) { try body($0, listener) }
        }
    }

    /// A first client, whose lookup succeeds.
    private func learn(_ worker: OneWorker, _ listener: PeerListener) throws {
        let count = worker.lookupCount + 1
        let client = try worker.clients(1)[0]
        try worker.lookup(count).answer(.success([Self.here]))
        try worker.finish(client, worker.accept(listener))
    }

    @Test func goodAnswer_servesWithoutAnotherLookup() async throws {
        try await run(.init()) { worker, listener in
            try learn(worker, listener)
            let client = try worker.clients(1)[0]
            try worker.finish(client, worker.accept(listener))
            #expect(worker.lookupCount == 1)
        }
    }

    @Test func badAnswer_servesWithoutAnotherLookup() async throws {
        try await run(.init(badFor: 60_000)) { worker, _ in
            let first = try worker.clients(1)
            try worker.lookup(1).answer(.failure(.notFound))
            try worker.ended(1)
            let second = try worker.clients(1)
            let records = try worker.ended(2)
            #expect(records.map(\.end?.reason) == [.nameNotFound, .nameNotFound])
            #expect(worker.lookupCount == 1)
            for client in first + second { #expect(try client.receiveToEnd(downBytes) == .reset(0)) }
        }
    }

    @Test func severalWait_oneLookupServesThemAll() async throws {
        try await run { worker, listener in
            let clients = try worker.clients(5)
            let lookup = try worker.lookup(1)
            worker.harness.turnAFewTimes()
            #expect(worker.lookupCount == 1)
            lookup.answer(.success([Self.here]))
            for client in clients {
                client.close()
                try worker.accept(listener).close()
            }
            try worker.ended(5)
            #expect(worker.lookupCount == 1)
        }
    }

    @Test func oneWaiterGoes_theOthersAreServed() async throws {
        try await run { worker, listener in
            let clients = try worker.clients(2)
            let lookup = try worker.lookup(1)
            clients[0].resetNow()
            let gone = try #require(try worker.ended(1).first)
            #expect(gone.end?.reason == .clientReset)
            #expect(gone.connectDuration == nil)
            #expect(!lookup.wasCancelled, "it continues for the other")
            lookup.answer(.success([Self.here]))
            try worker.finish(clients[1], worker.accept(listener))
        }
    }

    @Test func allWaitersGo_theAnswerIsKeptAllTheSame() async throws {
        try await run(.init()) { worker, listener in
            try worker.clients(1)[0].resetNow()
            try worker.ended(1)
            try worker.lookup(1).answer(.success([Self.here]))
            let client = try worker.clients(1)[0]
            try worker.finish(client, worker.accept(listener))
            #expect(worker.lookupCount == 1)
        }
    }

    @Test func workerStops_theLookupIsTakenBack() async throws {
        var lookup: OneWorker.Lookup?
        try await run { worker, _ in
            _ = try worker.clients(1)
            lookup = try worker.lookup(1)
        }
        #expect(lookup?.wasCancelled == true)
    }

    /// Callers that wait when the service becomes silent get the last good answer after a second, later ones at once.
    @Test func silentNameService_lastGoodAnswerServesUntilItSpeaks() async throws {
        try await run { worker, listener in
            try learn(worker, listener)
            #expect(!worker.log.contains("last good answer"))
            // By the test's own clock: a client that is accepted a moment after the first one waits that much less.
            let start = Deadline.now
            let waiting = try worker.clients(3)
            let silent = try worker.lookup(2)
            var upstreams = [try worker.accept(listener)]
            #expect(Deadline.now - start >= 950_000_000)
            for _ in 1..<waiting.count { upstreams.append(try worker.accept(listener)) }
            for (client, upstream) in zip(waiting, upstreams) {
                let record = try worker.finish(client, upstream)
                #expect(record.upstreamAddress == listener.address)
            }
            #expect(worker.lookupCount == 2)
            #expect(worker.log.contains("the last good answer is used", "name=upstream.test", "no answer for 1000 ms"))
            var times: [Int64] = []
            for _ in 0..<5 {
                let client = try worker.clients(1)[0]
                let record = try worker.finish(client, worker.accept(listener))
                times.append(record.connectDuration ?? .max)
            }
            // The machine may delay one or two.
            #expect(times.sorted()[2] < 900_000_000, "none of them waits")
            #expect(worker.lookupCount == 2, "the silent lookup is still the one under way")
            #expect(worker.log.all.filter { $0.contains("last good answer") }.count == 1, "said once")
            // The service answers: the next client waits for a lookup again.
            silent.answer(.success([Self.here]))
            let asked = Deadline.now
            let client = try worker.clients(1)[0]
            let lookup = try worker.lookup(3)
            worker.harness.turnAFewTimes()
            let isConnected = listener.isAwaited
            // After a second the last good answer would serve again.
            if Deadline.now - asked < 950_000_000 { #expect(!isConnected) }
            lookup.answer(.success([Self.here]))
            try worker.finish(client, worker.accept(listener))
        }
    }

    @Test func silentNameServiceWithoutAGoodAnswer_endsAtTheConnectTimeout() async throws {
        try await LoopHarness.run { harness in
            let timeouts = Timeouts(connect: .milliseconds(1500))
            try OneWorker.run(port: 1, timeouts: timeouts, harness) { worker in
                let client = try worker.clients(1)[0]
                let record = try #require(try worker.ended(1).first)
                #expect(record.summary == .init(.connectTimeout, up: 0, down: 0))
                #expect(record.upstreamAddress == nil)
                #expect(try client.receiveToEnd(downBytes) == .reset(0))
            }
        }
    }

    @Test func failedLookup_lastGoodAnswerServes() async throws {
        try await run { worker, listener in
            let unlucky = try worker.clients(1)[0]
            try worker.lookup(1).answer(.failure(.failed("out of order")))
            #expect(try worker.ended(1).last?.end?.reason == .nameLookupFailed)
            #expect(try unlucky.receiveToEnd(downBytes) == .reset(0))
            try learn(worker, listener)
            let client = try worker.clients(1)[0]
            try worker.lookup(3).answer(.failure(.failed("out of order")))
            try worker.finish(client, worker.accept(listener))
            #expect(worker.log.contains("the last good answer is used", "error=out of order", "addresses=1"))
        }
    }

    /// "No such name" is an answer, and not a failure of the name service.
    @Test func nameIsGone_theLastGoodAnswerServesNoMore() async throws {
        try await run { worker, listener in
            try learn(worker, listener)
            let client = try worker.clients(1)[0]
            let silent = try worker.lookup(2)
            try worker.finish(client, worker.accept(listener))
            silent.answer(.failure(.notFound))
            let late = try worker.clients(1)[0]
            try worker.lookup(3).answer(.failure(.notFound))
            #expect(try worker.ended(3).last?.end?.reason == .nameNotFound)
            #expect(try late.receiveToEnd(downBytes) == .reset(0))
            // A failure now does not bring back addresses that the name no longer has.
            _ = try worker.clients(1)
            try worker.lookup(4).answer(.failure(.failed("out of order")))
            #expect(try worker.ended(4).last?.end?.reason == .nameLookupFailed)
        }
    }

    /// A cache by itself, whose lookups the body answers.
    private func alone(
        _ body: (NameCache, EventLoop, _ answer: (String, NameCache.Answer) -> Void) throws -> Void
    ) async throws {
        try await LoopHarness.run { harness in
            var completions: [String: (NameCache.Answer) -> Void] = [:]
            let names = NameCache(loop: harness.loop, logger: LogCapture().logger) { _, host, completion in
                completions[host] = completion
                return { completions[host] = nil }
            }
            try body(names, harness.loop) { host, answer in completions.removeValue(forKey: host)?(answer) }
            names.close()
            #expect(completions.isEmpty, "every lookup was cancelled or answered")
        }
    }

    @Test func clientsNames_areBounded_andTheLongestUnusedLeaveFirst() async throws {
        try await alone { names, loop, answer in
            #expect(names.answer(for: "configured.test") == nil)
            answer("configured.test", .success([Self.here]))
            for number in 0..<NameCache.mostRequested {
                #expect(names.answer(for: "\(number).test", from: .client) == nil)
                answer("\(number).test", .success([Self.here]))
                loop.advance(by: 1)
            }
            #expect(names.count == NameCache.mostRequested + 1)
            // The first is used again, so it stays.
            #expect(names.answer(for: "0.test", from: .client) == .success([Self.here]))
            loop.advance(by: 1)
            #expect(names.answer(for: "new.test", from: .client) == nil)
            #expect(names.count <= NameCache.mostRequested - NameCache.mostRequested / 8 + 2)
            #expect(names.answer(for: "0.test", from: .client) == .success([Self.here]))
            #expect(names.answer(for: "1.test", from: .client) == nil, "it has left")
            #expect(names.answer(for: "configured.test") == .success([Self.here]), "it was unused longest, and stays")
        }
    }

    @Test func everyClientsNameIsBeingLookedUp_aFurtherOneFails_andNoneIsLost() async throws {
        try await alone { names, _, answer in
            var served = 0
            for number in 0..<NameCache.mostRequested {
                #expect(names.answer(for: "\(number).test", from: .client) == nil)
                _ = names.wait(for: "\(number).test") { _ in served += 1 }
            }
            let refused = names.answer(for: "new.test", from: .client)
            #expect(refused == .failure(.failed("1024 other names are being looked up")))
            #expect(names.answer(for: "configured.test") == nil, "a configured name has its lookup")
            for number in 0..<NameCache.mostRequested { answer("\(number).test", .success([Self.here])) }
            #expect(served == NameCache.mostRequested)
            #expect(names.answer(for: "new.test", from: .client) == nil)
        }
    }

    @Test func clientsNameWithoutACaller_isNotLookedUpAnyMore() async throws {
        try await alone { names, _, _ in
            #expect(names.answer(for: "a.test", from: .client) == nil)
            let tickets = [names.wait(for: "a.test") { _ in }, names.wait(for: "a.test") { _ in }]
            names.cancel(tickets[0])
            #expect(names.count == 1)
            names.cancel(tickets[1])
            #expect(names.count == 0)
        }
    }

    /// A caller that gets its answer may cancel another one that waits, or request the name again.
    @Test func callerThatIsServed_cancelsAnother() async throws {
        try await alone { names, loop, answer in
            var served: [Int] = []
            var second: NameCache.Ticket?
            _ = names.answer(for: "a.test")
            _ = names.wait(for: "a.test") { _ in
                served.append(1)
                if let second { names.cancel(second) }
                loop.advance(by: 10_000)
                _ = names.answer(for: "a.test")
                _ = names.wait(for: "a.test") { _ in served.append(3) }
            }
            second = names.wait(for: "a.test") { _ in served.append(2) }
            answer("a.test", .success([Self.here]))
            #expect(served == [1])
            answer("a.test", .success([Self.here]))
            #expect(served == [1, 3])
        }
    }

    @Test func cancelledWait_isNotServed() async throws {
        try await alone { names, _, answer in
            var served: [Int] = []
            _ = names.answer(for: "a.test")
            let first = names.wait(for: "a.test") { _ in served.append(1) }
            _ = names.wait(for: "a.test") { _ in served.append(2) }
            names.cancel(first)
            answer("a.test", .success([Self.here]))
            #expect(served == [2])
        }
    }
}
