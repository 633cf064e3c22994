@testable import Admin
@testable import Relay
@testable import Sockets

/// A record to build on.
func record(
    _ id: UInt64 = 7, relay: String = "web", upstream: String = "db.example:5432", connected: Bool = true,
    reason: EndReason? = nil, errno: Errno? = nil
) -> ConnectionRecord {
    var record = ConnectionRecord(
        id: id, relay: relay, generation: 1, client: .ipv4(.loopback, port: 50_000),
        listener: .ipv4(.loopback, port: 8080), upstream: upstream, accepted: 1_764_000_000_000_000_000)
    record.upstreamAddress = .ipv4(.loopback, port: 5432)
    if connected {
        record.connectDuration = 12_000_000
        record.firstByteDuration = 34_000_000
        record.bytesUp = 1
        record.bytesDown = 1_234_567
    }
    if let reason {
        record.end = ConnectionRecord.End(
            time: 1_764_000_003_400_000_000, duration: 3_400_000_000, reason: reason, errno: errno)
    }
    return record
}

/// An open connection to build on: both sides have spoken, the upstream last, an hour ago.
func live(
    _ id: UInt64 = 7, state: LiveConnection.State = .open, _ change: (inout LiveConnection) -> Void = { _ in }
) -> LiveConnection {
    var live = LiveConnection(record: record(id, connected: state != .connecting), state: state, age: 90_000_000_000)
    live.up = .init(held: 0, quiet: 61_000, hasEnded: false, splices: false, hasMoved: true)
    live.down = .init(held: 0, quiet: 60_000, hasEnded: false, splices: false, hasMoved: true)
    live.client = .init(address: .ipv4(.loopback, port: 50_000))
    live.upstream = state == .connecting ? nil : .init(address: .ipv4(.loopback, port: 5432))
    change(&live)
    return live
}

/// What the kernel may say.
func kernel(sendQueue: Int = 0, retransmits: Int = 0, probes: Int = 0) -> LiveConnection.KernelStats {
    LiveConnection.KernelStats(
        info: Socket.Info(
            retransmits: retransmits, probes: probes, unacknowledged: 0, sinceLastAcknowledgement: 0, roundTrip: 100,
            segmentSize: 1448, totalRetransmits: retransmits),
        sendQueue: sendQueue, receiveQueue: 0, congestionControl: "reno")
}
