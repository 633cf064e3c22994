import Configuration
import Relay
import Sockets
import TestSupport

/// How a client requests its destination.
enum Dialect: CaseIterable, Sendable {
    case socks, http

    /// The client's bytes before the tunnel.
    func request(_ host: String, _ port: UInt16) -> [UInt8] {
        switch self {
        case .socks:
            let address: [UInt8] =
                if let address = IPv4Address(host) {
                    [1] + (0..<4).map { UInt8(truncatingIfNeeded: address.bits >> (24 - 8 * $0)) }
                } else {
                    [3, UInt8(host.utf8.count)] + Array(host.utf8)
                }
            return [5, 1, 0, 5, 1, 0] + address + [UInt8(port >> 8), UInt8(port & 0xFF)]
        case .http:
            return Array("CONNECT \(host):\(port) HTTP/1.1\r\nHost: \(host):\(port)\r\n\r\n".utf8)
        }
    }

    func request(_ address: SocketAddress) -> [UInt8] {
        guard case .ipv4(let ip, let port) = address else { return [] }
        return request("\(ip)", port)
    }

    /// Everything that the client receives before the tunnel's first byte.
    var success: [UInt8] {
        switch self {
        case .socks: [5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        case .http: Array("HTTP/1.1 200 Connection established\r\n\r\n".utf8)
        }
    }

    /// What the client receives, without the reply to its request.
    func withoutReply(_ bytes: [UInt8]) -> [UInt8] {
        bytes.starts(with: success) ? Array(bytes.dropFirst(success.count)) : []
    }

    /// The beginning of the reply to a request that failed.
    func failure(_ code: UInt8, _ status: Int) -> [UInt8] {
        switch self {
        case .socks: [5, 0, 5, code, 0, 1, 0, 0, 0, 0, 0, 0]
        case .http: Array("HTTP/1.1 \(status) ".utf8)
        }
    }
}

extension Peer {
    /// The bytes up to the end, which is orderly.
    func receiveReply() throws -> [UInt8] {
        let (bytes, ending) = try receiveAll()
        guard ending == .fin else { throw TestFailure("\(String(describing: ending)) after \(bytes)") }
        return bytes
    }
}

extension RelayHarness {
    /// Runs a body with one relay whose clients request their destinations.
    static func requested(
        _ requested: RequestedSettings = RequestedSettings(timeout: .seconds(60)), pump: Pump = .splice,
        timeouts: Timeouts = Timeouts(), proxy: ProxyProtocolSettings? = nil,
        listen: ListenAddress = .address(.ipv4(.loopback, port: 0)), _ body: (RelayHarness) async throws -> Void
    ) async throws {
        try await Exclusive.run {
            var relay = RelaySettings(name: "relay", listen: [listen], upstream: .requested, timeouts: timeouts)
            relay.requested = requested
            relay.proxyProtocol = proxy
            try await runAlone([relay], pump: pump, body)
        }
    }
}
