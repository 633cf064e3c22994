import Configuration
import Relay
import Sockets
import TestSupport
import Testing

/// The patterns of both directions, in every test of a service.
let upBytes = Pattern(seed: 1)
let downBytes = Pattern(seed: 2)

/// One small piece, and a stream long enough that a flow switches to splicing.
let message = 14
let stream = 6 << 20

/// The share of a core that counts as idle, by `FAULTS.md`; a sanitizer's own work is several times the relay's.
let idle = ProcessStats.isSanitized ? 0.1 : 0.02

extension ConnectionRecord {
    /// The reason, the side that closed, and the byte counts: what most tests check in a record.
    var summary: Summary {
        Summary(end?.reason, up: bytesUp, down: bytesDown, errno: end?.errno?.name)
    }

    struct Summary: Hashable, CustomTestStringConvertible {
        var reason: EndReason?
        var up: UInt64
        var down: UInt64
        var errno: String?

        init(_ reason: EndReason?, up: some BinaryInteger, down: some BinaryInteger, errno: String? = nil) {
            self.reason = reason
            self.up = UInt64(up)
            self.down = UInt64(down)
            self.errno = errno
        }

        var testDescription: String { "\(reason?.rawValue ?? "open") \(up) up \(down) down \(errno ?? "no error")" }
    }
}

extension Peer.Received {
    static func fin(_ count: Int) -> Self { Self(count: count, ending: .fin) }
    static func reset(_ count: Int) -> Self { Self(count: count, ending: .reset) }
}

extension RelaySettings {
    /// A relay on a free loopback port. A minute for connecting: a connection that waits for its upstream must still
    /// wait after a loaded machine has delayed the test.
    static func to(
        _ upstream: UpstreamAddress, name: String = "relay", timeouts: Timeouts = Timeouts(connect: .seconds(60)),
        maxConnections: Int = RelaySettings.defaultMaxConnections
    ) -> RelaySettings {
        RelaySettings(
            name: name, listen: [.address(.ipv4(.loopback, port: 0))], upstream: upstream, timeouts: timeouts,
            maxConnections: maxConnections)
    }
}

extension RelayHarness {
    /// Waits until this number of connections has ended; their records in the order in which they were accepted.
    /// Several workers report ends in any order.
    func endedInOrder(_ count: Int) throws -> [ConnectionRecord] {
        try ended(count).sorted { $0.id < $1.id }
    }

    /// Both ends of a connection whose flows have streamed: under `splice` they splice from here on.
    func streamingPair(_ listener: PeerListener, bytes: Int = stream) throws -> (client: Peer, upstream: Peer) {
        let (client, upstream) = try pair(listener)
        let senders = [
            try Background("up") { try client.send(upBytes, 0..<bytes) },
            try Background("down") { try upstream.send(downBytes, 0..<bytes) },
        ]
        // A flow streams if it finds much at once, and that must not depend on a delayed sender.
        for receiver in [client, upstream] { try receiver.awaitBacklog() }
        let receiver = try Background("received up") { try upstream.receive(upBytes, 0..<bytes) }
        try client.receive(downBytes, 0..<bytes)
        try receiver.value()
        for sender in senders { try sender.value() }
        return (client, upstream)
    }
}
