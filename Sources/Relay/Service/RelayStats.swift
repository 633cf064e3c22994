/// What a relay has done since Tapline started, by its name and over all its configurations; what is open is in it with
/// the bytes so far.
///
/// A copy, made from what each worker counts on its own thread; any thread may keep it. It never goes back. The sums wrap
/// around at 2⁶⁴, as Prometheus expects of a counter: no amount of traffic may end the process.
public struct RelayStats: Hashable, Sendable {
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

    /// How often a listener paused because no more clients could be accepted, or because it failed.
    public var acceptPauses: UInt64 = 0
    /// Errors of accept(2) on its listeners.
    public var acceptErrors: UInt64 = 0
    /// Connects that failed, by reason and by the upstream as it was configured then.
    public var connectFailures: [ConnectFailure: UInt64] = [:]
    /// From accept to connected, lookup included; of those that were connected.
    public var connectTimes = DurationHistogram(.connect)
    /// From accept to the end, of those that ended.
    public var lifetimes = DurationHistogram(.connection)

    /// What kind of connect failed.
    public struct ConnectFailure: Hashable, Sendable {
        /// The upstream as configured.
        public var endpoint: String
        /// Why.
        public var reason: EndReason

        /// A kind.
        public init(endpoint: String, reason: EndReason) {
            self.endpoint = endpoint
            self.reason = reason
        }
    }

    /// The most kinds of failure that are counted apart for one relay; a reload may change its upstream any number of times.
    static let mostConnectFailures = 64
    /// What the others are counted under.
    public static let otherEndpoints = "other"

    /// Nothing yet.
    public init() {}

    /// How many connections are open.
    public var open: UInt64 { accepted - min(accepted, ended.values.reduce(0, &+)) }

    /// Counts what a connection has carried so far, and how long its connect took.
    mutating func count(
        bytesUp: UInt64, bytesDown: UInt64, splicedUp: UInt64, splicedDown: UInt64, connectDuration: Int64?
    ) {
        self.bytesUp &+= bytesUp
        self.bytesDown &+= bytesDown
        self.splicedUp &+= splicedUp
        self.splicedDown &+= splicedDown
        if let connectDuration { connectTimes.add(nanoseconds: connectDuration) }
    }

    /// Counts a connection: what it has carried, and its end if it is over.
    mutating func count(_ record: ConnectionRecord) {
        count(
            bytesUp: record.bytesUp, bytesDown: record.bytesDown, splicedUp: record.splicedUp,
            splicedDown: record.splicedDown, connectDuration: record.connectDuration)
        guard let end = record.end else { return }
        ended[end.reason, default: 0] &+= 1
        lifetimes.add(nanoseconds: end.duration)
        if record.connectDuration == nil, end.reason.isOfConnecting { countFailure(end.reason, at: record.upstream) }
    }

    private mutating func countFailure(_ reason: EndReason, at endpoint: String) {
        let kind = ConnectFailure(endpoint: endpoint, reason: reason)
        let isNew = connectFailures[kind] == nil && connectFailures.count >= Self.mostConnectFailures
        connectFailures[isNew ? ConnectFailure(endpoint: Self.otherEndpoints, reason: reason) : kind, default: 0] &+= 1
    }

    /// Adds what another worker counted.
    mutating func add(_ other: RelayStats) {
        accepted &+= other.accepted
        bytesUp &+= other.bytesUp
        bytesDown &+= other.bytesDown
        splicedUp &+= other.splicedUp
        splicedDown &+= other.splicedDown
        acceptPauses &+= other.acceptPauses
        acceptErrors &+= other.acceptErrors
        connectTimes.add(other.connectTimes)
        lifetimes.add(other.lifetimes)
        ended.merge(other.ended, uniquingKeysWith: &+)
        connectFailures.merge(other.connectFailures, uniquingKeysWith: &+)
    }
}
