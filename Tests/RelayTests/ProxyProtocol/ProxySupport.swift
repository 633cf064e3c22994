import Configuration
import ProxyProtocol
import Relay
import Sockets
import TestSupport

extension ProxyProtocolSettings.Acceptance {
    /// Headers from every program on this machine are trusted.
    static let ofLoopback = loopback(.seconds(60))

    static func loopback(_ timeout: Duration) -> Self {
        Self(trusted: ["127.0.0.0/8", "::1"].compactMap { Network($0) }, timeout: timeout)
    }
}

/// A remote client, and the address that it reached there.
let farEnds = ProxyHeader.Endpoints(
    source: .ipv4(IPv4Address(bits: 0xC000_0207), port: 4711),
    destination: .ipv4(IPv4Address(bits: 0xC633_6401), port: 443))

/// The same over IPv6.
let farEnds6 = ProxyHeader.Endpoints(
    source: .ipv6(IPv6Address(high: 0x2001_0DB8_0000_0000, low: 7), port: 4711),
    destination: .ipv6(IPv6Address(high: 0x2001_0DB8_0000_0000, low: 1), port: 443))

/// A header for the remote client.
func farHeader(
    _ version: ProxyHeader.Version = .v2, _ endpoints: ProxyHeader.Endpoints? = farEnds,
    _ extensions: [ProxyHeader.Extension] = []
) -> [UInt8] {
    ProxyHeader(version: version, endpoints: endpoints, extensions: extensions).bytes
}

extension RelayHarness {
    /// Runs a body with one relay that uses the PROXY protocol, and its upstream.
    static func run(
        _ settings: ProxyProtocolSettings, pump: Pump = .splice, timeouts: Timeouts = Timeouts(),
        listen: ListenAddress = .address(.ipv4(.loopback, port: 0)),
        upstream: SocketAddress = .ipv4(.loopback, port: 0),
        _ body: (RelayHarness, PeerListener) async throws -> Void
    ) async throws {
        try await Exclusive.run {
            let listener = try PeerListener(upstream)
            var relay = RelaySettings(
                name: "relay", listen: [listen], upstream: .address(listener.address), timeouts: timeouts)
            relay.proxyProtocol = settings
            try await runAlone([relay], pump: pump) { try await body($0, listener) }
        }
    }

    /// Waits until the only open connection waits for its header.
    func awaitsHeader() async throws {
        let deadline = Deadline()
        while true {
            let live = await service.liveConnections(kernel: false)
            if live.count == 1, live[0].wait == .proxyHeader, live[0].state == .connecting { return }
            guard !deadline.isOver else { throw TestFailure("no connection waits for a header") }
            Deadline.letPass(.milliseconds(2))
        }
    }
}

extension Peer {
    /// Reads a PROXY header, and no byte after it.
    func receiveHeader() throws -> ProxyHeader {
        var bytes: [UInt8] = []
        while true {
            bytes += try receive(count: 1)
            switch ProxyHeader.read(bytes) {
            case .incomplete: continue
            case .complete(let header, _): return header
            case .faulty(let fault): throw TestFailure("what came first \(fault)")
            }
        }
    }
}
