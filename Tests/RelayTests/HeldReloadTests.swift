import Configuration
import EventLoop
import Glibc
import ProxyProtocol
import Sockets
import TestSupport
import Testing

@testable import Relay

/// Reloads while clients are held until their upstream is up: a held client has no upstream yet, so it gets the new one.
@Suite struct HeldReloadTests {
    /// Runs a body with a worker whose relay's upstream refuses, and with the relay's settings. The clock is the test's.
    private func hold(
        _ change: @escaping (inout RelaySettings) -> Void = { _ in },
        _ body: (OneWorker, RelaySettings, PeerListener) throws -> Void
    ) async throws {
        try await LoopHarness.run { harness in
            let refusing = try PeerListener.refusingAddress()
            let listener = try PeerListener()
            var settings = RelaySettings.to(.address(refusing), timeouts: Timeouts(wait: .seconds(3600)))
            change(&settings)
            try OneWorker.run(port: 1, harness, change: { $0 = settings }) { worker in
                try body(worker, settings, listener)
            }
        }
    }

    /// Puts other settings of the relay in force; nil removes it.
    private func apply(_ settings: RelaySettings?, _ worker: OneWorker, drain: UInt64 = 60_000) {
        let relays = settings.map {
            [RelayRuntime($0, generation: 2, identity: worker.identity, mayLoop: true)]
        }
        worker.post(
            .apply(
                WorkerPlan(
                    listeners: relays.map { [worker.address: $0[0]] } ?? [:], opened: [], recordings: [:],
                    relays: relays ?? [], drain: drain, workers: 1)))
    }

    private func heldClient(_ worker: OneWorker) throws -> Peer {
        let client = try worker.clients(1)[0]
        try worker.turn(until: "a client is held") { worker.shared.heldClients == 1 }
        return client
    }

    @Test func newUpstream_isConnectedAtOnce_andTheBytesAreRight() async throws {
        try await hold { worker, settings, listener in
            let client = try heldClient(worker)
            try client.send(upBytes, 0..<message)
            var fixed = settings
            fixed.upstream = .address(listener.address)
            apply(fixed, worker)
            // No time passes on the clock: the attempt does not wait for the pause to end.
            let upstream = try worker.accept(listener)
            try worker.result(of: Background("request") { try upstream.receive(upBytes, 0..<message) })
            #expect(worker.shared.heldClients == 0)
            let record = try worker.finish(client, upstream)
            #expect(record.upstream == "\(listener.address)" && record.upstreamAddress == listener.address)
            #expect(record.generation == 1 && record.hold?.isConnected == true)
        }
    }

    /// A client that is connected keeps its upstream.
    @Test func openConnection_keepsItsUpstream() async throws {
        try await hold { worker, settings, listener in
            let client = try heldClient(worker)
            var fixed = settings
            fixed.upstream = .address(listener.address)
            apply(fixed, worker)
            let upstream = try worker.accept(listener)
            try worker.turn(until: "it is open") { (try? worker.live().state) == .open }
            apply(settings, worker)
            try worker.turn(until: "the reload is in force") { (try? worker.live().state) == .open }
            #expect(try worker.live().record.upstream == "\(listener.address)")
            try worker.finish(client, upstream)
        }
    }

    @Test func newUpstream_thatRefuses_isTriedAgain_andIsTheOneOfTheRecord() async throws {
        try await hold { worker, settings, _ in
            _ = try heldClient(worker)
            var other = settings
            other.upstream = .address(try PeerListener.refusingAddress())
            apply(other, worker)
            try worker.turn(until: "the new one is tried") {
                (try? worker.live().record.upstream) == other.upstream.description
            }
            let failures = try worker.live().record.hold?.failures ?? 0
            worker.letPass(2000)
            #expect((try worker.live().record.hold?.failures ?? 0) > failures && worker.shared.heldClients == 1)
            worker.post(.refuseHeld)
            let record = try worker.ended()[0]
            #expect(record.upstream == other.upstream.description && record.end?.reason == .connectRefused)
        }
    }

    /// Settings of the greeting, also on a relay that had none.
    @Test(arguments: [false, true]) func newGreeting_isSentToTheNewUpstream(hadOne: Bool) async throws {
        try await hold({ if hadOne { $0.proxyProtocol = ProxyProtocolSettings(send: .v2) } }) {
            worker, settings, listener in
            let client = try heldClient(worker)
            var fixed = settings
            fixed.upstream = .address(listener.address)
            fixed.proxyProtocol = ProxyProtocolSettings(send: .v1)
            apply(fixed, worker)
            let upstream = try worker.accept(listener)
            let header = try worker.result(of: Background("header") { try upstream.receive(count: 10) })
            #expect(header == Array("PROXY TCP4".utf8))
            client.close()
            upstream.close()
            #expect(try worker.ended()[0].upstream == "\(listener.address)")
        }
    }

    @Test func greetingThatWasRemoved_isNotSent() async throws {
        try await hold({ $0.proxyProtocol = ProxyProtocolSettings(send: .v1) }) { worker, settings, listener in
            let client = try heldClient(worker)
            try client.send(upBytes, 0..<message)
            var fixed = settings
            fixed.upstream = .address(listener.address)
            fixed.proxyProtocol = nil
            apply(fixed, worker)
            let upstream = try worker.accept(listener)
            try worker.result(of: Background("request") { try upstream.receive(upBytes, 0..<message) })
            try worker.finish(client, upstream)
        }
    }

    /// The routes of the new configuration choose by the ClientHello that was read before.
    @Test(arguments: [TLSRoutingSettings.Otherwise.upstream, .refuse])
    func newRoutes_chooseTheUpstreamAgain(otherwise: TLSRoutingSettings.Otherwise) async throws {
        func routing(_ name: String, _ upstream: UpstreamAddress) -> TLSRoutingSettings {
            TLSRoutingSettings(
                routes: [.init(serverNames: [.exactly(name)], upstream: upstream)], otherwise: otherwise,
                timeout: .seconds(60))
        }
        let hello = ClientHello(name: "a.example").bytes()
        try await hold({ $0.tlsRouting = routing("a.example", $0.upstream) }) { worker, settings, listener in
            let client = try worker.clients(1)[0]
            try client.send(hello)
            try worker.turn(until: "a client is held") { worker.shared.heldClients == 1 }
            var fixed = settings
            fixed.tlsRouting = routing("a.example", .address(listener.address))
            apply(fixed, worker)
            let upstream = try worker.accept(listener)
            let bytes = try worker.result(of: Background("hello") { try upstream.receive(count: hello.count) })
            #expect(bytes == hello)
            client.close()
            upstream.close()
            let record = try worker.ended()[0]
            #expect(record.upstream == "\(listener.address)" && record.hello?.route == "a.example")
        }
        // Without a route for it, the client is treated as one that connects now.
        try await hold({ $0.tlsRouting = routing("a.example", $0.upstream) }) { worker, settings, listener in
            let client = try worker.clients(1)[0]
            try client.send(hello)
            try worker.turn(until: "a client is held") { worker.shared.heldClients == 1 }
            var fixed = settings
            fixed.upstream = .address(listener.address)
            fixed.tlsRouting = routing("b.example", settings.upstream)
            apply(fixed, worker)
            if otherwise == .refuse {
                #expect(try worker.ended()[0].end?.reason == .tlsNotRouted)
            } else {
                let upstream = try worker.accept(listener)
                client.close()
                upstream.close()
                let record = try worker.ended()[0]
                #expect(record.hello?.serverName == "a.example" && record.hello?.route == nil)
            }
            #expect(worker.shared.heldClients == 0)
        }
    }

    /// The relay is gone, or serves its clients in another way: the held client may wait until the end of the drain.
    @Test(arguments: [false, true]) func clientOfARelayThatIsGone_isEndedByTheDrain(isRemoved: Bool) async throws {
        try await hold { worker, settings, _ in
            let client = try heldClient(worker)
            var changed: RelaySettings?
            if !isRemoved {
                changed = settings
                changed?.upstream = .requested
            }
            apply(changed, worker)
            #expect(try worker.live().wait == .upstreamUp)
            worker.letPass(55_000)
            #expect(worker.endedCount == 0)
            worker.letPass(10_000)
            #expect(try worker.ended()[0].end?.reason == .drained)
            #expect(try client.receiveToEnd(downBytes) == .reset(0))
        }
    }

    /// Names that do not change keep the attempts that are in progress, and their pauses.
    @Test func sameUpstream_isNotTriedEarlier() async throws {
        try await hold { worker, settings, _ in
            _ = try heldClient(worker)
            var same = settings
            same.timeouts.idle = .seconds(5)
            let before = try worker.live().record
            apply(same, worker)
            let after = try worker.live().record
            #expect(after.attempts == before.attempts && after.upstream == before.upstream)
        }
    }
}
