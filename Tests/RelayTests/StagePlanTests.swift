import Configuration
import Sockets
import TestSupport
import Testing

@testable import Relay

/// The order of the stages, and what a plain relay does not have.
@Suite struct StagePlanTests {
    private func plan(_ upstream: UpstreamAddress = .name("up.test", port: 1), _ change: (inout RelaySettings) -> Void)
        -> StagePlan
    {
        var relay = RelaySettings.to(upstream)
        change(&relay)
        return StagePlan(relay)
    }

    @Test func plainRelay_hasNoStage() {
        let plan = plan { _ in }
        #expect(plan.isEmpty && plan.identifying == 0)
    }

    @Test func headerAndHello_identifyTheClient_andTheOriginalDestinationDoesNot() {
        let routing = TLSRoutingSettings(routes: [.init(applications: ["h2"])])
        let both = plan {
            $0.proxyProtocol = ProxyProtocolSettings(accept: .ofLoopback, send: .v2)
            $0.tlsRouting = routing
        }
        #expect(both.preparing.count == 2 && both.identifying == 2 && both.greeting.count == 1)
        let redirected = plan(.originalDestination) { $0.proxyProtocol = ProxyProtocolSettings(accept: .ofLoopback) }
        #expect(redirected.preparing.count == 2 && redirected.identifying == 1 && redirected.greeting.isEmpty)
        #expect(plan(.originalDestination) { _ in }.identifying == 0)
    }

    @Test func request_identifiesTheClient_andItsReplyIsTheLastOfTheGreeting() {
        let plan = plan(.requested) {
            $0.proxyProtocol = ProxyProtocolSettings(accept: .ofLoopback, send: .v2)
        }
        #expect(plan.preparing.count == 2 && plan.identifying == 2 && plan.greeting.count == 2)
    }

    @Test func stages_areInTheOrderOfTheBytes() async throws {
        try await LoopHarness.run { harness in
            try OneWorker.run(port: 1, harness) { worker in
                let client = try worker.clients(1)[0]
                let connection = try #require(worker.worker.connection(1))
                let context = StageContext(
                    id: 1, worker: worker.worker, relay: connection.relay, listener: worker.address,
                    peer: client.address, client: connection.client, acceptedTicks: connection.acceptedTicks)
                try check(context)
            }
        }
    }

    private func check(_ context: StageContext) throws {
        let plan = plan(.originalDestination) {
            $0.proxyProtocol = ProxyProtocolSettings(accept: .ofLoopback, send: .v1)
            $0.tlsRouting = TLSRoutingSettings(routes: [.init(applications: ["h2"])])
        }
        let preparing = plan.preparing.map { make in make(context) }
        try #require(preparing.count == 3 && plan.greeting.count == 1)
        #expect(preparing[0] is ProxyHeaderIn)
        #expect(preparing[1] is ClientHelloPeek)
        #expect(preparing[2] is OriginalDestination)
        let waits = preparing.map { stage in stage.waitsFor }
        #expect(waits == [.proxyHeader, .clientHello, .connect])
        let reasons = preparing.map { stage in stage.deadline?.reason }
        #expect(reasons == [.proxyHeaderTimeout, .tlsHelloTimeout, nil])
        let greeting = plan.greeting[0](context)
        #expect(greeting is ProxyHeaderOut)
        #expect(greeting.side == .upstream)
    }
}
