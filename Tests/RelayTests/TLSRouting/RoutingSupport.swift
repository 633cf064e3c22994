import Configuration
import Relay
import Sockets
import TestSupport

/// A relay that routes by server names, and its upstreams.
struct RoutedPeers {
    let relay: RelayHarness
    /// The upstreams of `a.example`, of `*.example` with h2, and of the relay itself.
    let first: PeerListener
    let second: PeerListener
    let own: PeerListener

    /// Runs a body with them; with `hole`, the first one does not answer.
    static func run(
        otherwise: TLSRoutingSettings.Otherwise = .upstream, timeout: Duration = .seconds(60),
        pump: RelayHarness.Pump = .splice, timeouts: Timeouts = Timeouts(),
        listen: ListenAddress = .address(.ipv4(.loopback, port: 0)), proxy: ProxyProtocolSettings? = nil,
        hole: Bool = false,
        _ body: (RoutedPeers) async throws -> Void
    ) async throws {
        try await Exclusive.run {
            let first = hole ? try PeerListener.blackHole() : try PeerListener()
            let (second, own) = (try PeerListener(), try PeerListener())
            var settings = RelaySettings(
                name: "relay", listen: [listen], upstream: .address(own.address), timeouts: timeouts)
            settings.proxyProtocol = proxy
            settings.tlsRouting = TLSRoutingSettings(
                routes: [
                    .init(serverNames: [.exactly("a.example")], upstream: .address(first.address)),
                    .init(
                        serverNames: [.below("example")], applications: ["h2"], upstream: .address(second.address)),
                ], otherwise: otherwise, timeout: timeout)
            try await RelayHarness.runAlone([settings], pump: pump) { relay in
                try await body(RoutedPeers(relay: relay, first: first, second: second, own: own))
            }
        }
    }

    /// Whether no upstream was connected.
    var noUpstreamIsConnected: Bool { !first.isAwaited && !second.isAwaited && !own.isAwaited }

    /// Waits until the only open connection waits for its hello.
    func awaitsHello() async throws {
        let deadline = Deadline()
        while true {
            let live = await relay.service.liveConnections(kernel: false)
            if live.count == 1, live[0].wait == .clientHello, live[0].state == .connecting { return }
            guard !deadline.isOver else { throw TestFailure("no connection waits for a hello") }
            Deadline.letPass(.milliseconds(2))
        }
    }

    /// The upstream's end of a connection receives these bytes and then a pattern to its end, the client receives a
    /// pattern and an end; returns the record.
    func finish(
        _ client: Peer, _ listener: PeerListener, _ bytes: [UInt8], up: Int = message
    ) throws -> ConnectionRecord {
        let sender = try Background("up") {
            try client.send(upBytes, 0..<up)
            client.endWriting()
        }
        let upstream = try listener.accept()
        if up == stream { try upstream.awaitBacklog() }
        guard try upstream.receive(count: bytes.count) == bytes else { throw TestFailure("other bytes than were sent") }
        guard try upstream.receiveToEnd(upBytes) == .fin(up) else { throw TestFailure("another end than was sent") }
        try sender.value()
        try upstream.send(downBytes, 0..<message)
        upstream.close()
        guard try client.receiveToEnd(downBytes) == .fin(message) else { throw TestFailure("no answer") }
        let record = try relay.end()
        let expected = ConnectionRecord.Summary(.clientClosed, up: bytes.count + up, down: message)
        guard record.summary == expected else { throw TestFailure("\(record)") }
        return record
    }
}
