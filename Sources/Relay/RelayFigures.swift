/// What a relay has done since Tapline started, by its name and over all its configurations; what is open is in it with
/// the bytes so far.
///
/// A copy, made from what each worker counts on its own thread; any thread may keep it. It never goes back.
public struct RelayFigures: Hashable, Sendable {
    /// Clients that were accepted.
    public var accepted: UInt64 = 0
    /// Connections that ended, by reason; reasons that did not occur are absent.
    public var ended: [EndReason: UInt64] = [:]
    /// Bytes that the upstream's sockets took.
    public var bytesUp: UInt64 = 0
    /// Bytes that the clients' sockets took.
    public var bytesDown: UInt64 = 0
    /// How many of them went by splice.
    public var splicedUp: UInt64 = 0
    /// How many of them went by splice.
    public var splicedDown: UInt64 = 0
    /// Bytes that recordings hold.
    public var recordedBytes: UInt64 = 0
    /// Bytes that recordings should hold and do not.
    public var droppedBytes: UInt64 = 0

    /// Nothing yet.
    public init() {}

    /// How many connections are open.
    public var open: UInt64 { accepted - ended.values.reduce(0, +) }

    /// Counts what a connection has carried, and its end if it is over.
    mutating func count(_ record: ConnectionRecord) {
        bytesUp += record.bytesUp
        bytesDown += record.bytesDown
        splicedUp += record.splicedUp
        splicedDown += record.splicedDown
        if let end = record.end { ended[end.reason, default: 0] += 1 }
    }

    /// Adds what another worker counted.
    mutating func add(_ other: RelayFigures) {
        accepted += other.accepted
        bytesUp += other.bytesUp
        bytesDown += other.bytesDown
        splicedUp += other.splicedUp
        splicedDown += other.splicedDown
        ended.merge(other.ended, uniquingKeysWith: +)
    }
}
