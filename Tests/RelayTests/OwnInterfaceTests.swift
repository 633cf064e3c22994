import Configuration
import Relay
import Sockets
import TestSupport
import Testing

/// An upstream at an address of this machine that is not loopback: there is no shortcut for it, so connecting takes a
/// turn of the loop, as for any other machine.
@Suite struct OwnInterfaceTests {
    private static let address = LocalAddresses.read().filter { address in
        guard case .ipv6(let ip, _, _) = address else { return !address.isLoopback }
        // A link-local address needs its zone, which is not set here.
        return !address.isLoopback && ip.high >> 54 != 0x3FA
    }.min { $0.description < $1.description }

    @Test(
        .enabled(if: address != nil, "this machine has addresses of loopback only"),
        arguments: RelayHarness.Pump.allCases)
    func upstreamOnAnInterface_bytesPassBothWays(pump: RelayHarness.Pump) async throws {
        let address = try #require(Self.address)
        try await RelayHarness.run(pump: pump, upstream: address) { relay, listener in
            let (client, upstream) = try relay.streamingPair(listener)
            try client.send(upBytes, stream..<stream + message)
            try upstream.receive(upBytes, stream..<stream + message)
            try upstream.send(downBytes, stream..<stream + message)
            client.endWriting()
            #expect(try upstream.receiveToEnd(upBytes, from: stream + message) == .fin(stream + message))
            upstream.close()
            #expect(try client.receiveToEnd(downBytes, from: stream) == .fin(stream + message))
            let record = try relay.end()
            #expect(record.summary == .init(.clientClosed, up: stream + message, down: stream + message))
            #expect(record.upstreamAddress == listener.address)
            #expect((record.connectDuration ?? 0) > 0)
            #expect((record.splicedUp > 0) == (pump == .splice))
        }
    }

    @Test(.enabled(if: address != nil, "this machine has addresses of loopback only"))
    func noListenerOnTheInterface_isRefused() async throws {
        let address = try #require(Self.address)
        try await Exclusive.run {
            let listener = try PeerListener(address)
            listener.close()
            try await RelayHarness.runAlone([.to(.address(listener.address))]) { relay in
                let client = try relay.connect()
                #expect(try client.receiveToEnd(downBytes) == .reset(0))
                let record = try relay.end()
                #expect(record.summary == .init(.connectRefused, up: 0, down: 0, errno: "ECONNREFUSED"))
                #expect(record.upstreamAddress == listener.address)
            }
        }
    }
}
