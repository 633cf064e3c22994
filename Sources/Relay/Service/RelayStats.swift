internal import Configuration
internal import Sockets
internal import Text

/// A relay's counters since Tapline started, by its name and over all its configurations. Open connections are
/// included, with their bytes so far.
///
/// A copy, made from counters that each worker keeps on its own thread; any thread may keep it. They never decrease.
/// The sums wrap around at 2⁶⁴, as Prometheus expects of a counter: no amount of traffic may end the process.
public struct RelayStats: Hashable, Sendable {
    /// Accepted clients.
    public var accepted: UInt64 = 0
    /// Ended connections by reason; reasons that did not occur are absent.
    public var ended: [EndReason: UInt64] = [:]
    /// The ended connections among them whose TLS session has failed on a side: by reason and side.
    public var endedSessions: [EndReason: [ClosedBy: UInt64]] = [:]
    /// Bytes that the upstreams' sockets took.
    public var bytesUp: UInt64 = 0
    /// Bytes that the clients' sockets took.
    public var bytesDown: UInt64 = 0
    /// The bytes among them that were spliced.
    public var splicedUp: UInt64 = 0
    /// The bytes among them that were spliced.
    public var splicedDown: UInt64 = 0
    /// Bytes in recordings.
    public var recordedBytes: UInt64 = 0
    /// Bytes missing from recordings.
    public var droppedBytes: UInt64 = 0

    /// How often a listener paused because no more clients could be accepted, or because it failed.
    public var acceptPauses: UInt64 = 0
    /// Errors of accept(2) on its listeners.
    public var acceptErrors: UInt64 = 0
    /// Failed connects, by reason and by the upstream as configured at that time, or its proxy. Of a held client, each
    /// failed attempt.
    public var connectFailures: [ConnectFailure: UInt64] = [:]
    /// The connects of the last minutes.
    public var recentConnects = RecentConnects()
    /// From accept to connected, including the lookup, without the time that the client was held. Only connections whose
    /// upstream was connected.
    public var connectTimes = DurationHistogram(.connect)
    /// From accept to the end, of ended connections.
    public var lifetimes = DurationHistogram(.connection)

    /// A kind of failed connect.
    public struct ConnectFailure: Hashable, Sendable {
        /// The upstream as configured.
        public var endpoint: String
        /// The reason.
        public var reason: EndReason

        /// A kind.
        public init(endpoint: String, reason: EndReason) {
            self.endpoint = endpoint
            self.reason = reason
        }
    }

    /// The most kinds of failure that are counted separately for one relay; reloads may change its upstream any number
    /// of times.
    static let mostConnectFailures = 64
    /// The endpoint that stands for all others.
    public static let otherEndpoints = "other"

    /// All zero.
    public init() {}

    /// The number of open connections.
    public var open: UInt64 { accepted - min(accepted, ended.values.reduce(0, &+)) }

    /// Counts a connection's bytes so far, and its connect. `held` is how long its client was held, milliseconds.
    /// `isUsable`: no handshake with the upstream is in progress, and none has failed. The last two are times of the
    /// monotonic clock, milliseconds: of accept, and the current one.
    mutating func count(
        bytesUp: UInt64, bytesDown: UInt64, splicedUp: UInt64, splicedDown: UInt64, connectDuration: Int64?,
        held: UInt64? = nil, isUsable: Bool = true, startedAt: UInt64, now: UInt64
    ) {
        self.bytesUp &+= bytesUp
        self.bytesDown &+= bytesDown
        self.splicedUp &+= splicedUp
        self.splicedDown &+= splicedDown
        guard let connectDuration else { return }
        let wait = Int64(saturating: held ?? 0, times: 1_000_000)
        connectTimes.add(nanoseconds: max(0, connectDuration - wait))
        let connectedAt = startedAt &+ Milliseconds.of(nanoseconds: connectDuration)
        // This runs ten times a second for every open connection, most of which connected long ago.
        if isUsable, Monotonic.elapsed(from: connectedAt, to: now) < RecentConnects.span {
            recentConnects.add(nil, at: connectedAt)
        }
    }

    /// Counts an open connection. Its record, with addresses and texts, would cost five times as much. `now`: of the
    /// monotonic clock, milliseconds.
    mutating func count(_ connection: Connection, now: UInt64) {
        count(
            bytesUp: connection.up?.delivered ?? 0, bytesDown: connection.down?.delivered ?? 0,
            splicedUp: connection.up?.spliced ?? 0, splicedDown: connection.down?.spliced ?? 0,
            connectDuration: connection.connectDuration, held: connection.upstreamWait?.held(at: now),
            isUsable: connection.state.phase != .greeting, startedAt: connection.startedAt, now: now)
    }

    /// Counts a connection: its bytes so far, and its end if it has ended. The times are of the monotonic clock,
    /// milliseconds: of accept, and the current one.
    mutating func count(_ record: ConnectionRecord, startedAt: UInt64, now: UInt64) {
        count(
            bytesUp: record.bytesUp, bytesDown: record.bytesDown, splicedUp: record.splicedUp,
            splicedDown: record.splicedDown, connectDuration: record.connectDuration, held: record.hold?.held,
            isUsable: record.upstreamSessionFailure == nil, startedAt: startedAt, now: now)
        guard let end = record.end else { return }
        // A destination that a client chooses says nothing about the relay.
        if let failure = record.upstreamSessionFailure, record.request == nil { recentConnects.add(failure, at: now) }
        ended[end.reason, default: 0] &+= 1
        if end.reason.isOfSession, let side = record.closedBy {
            endedSessions[end.reason, default: [:]][side, default: 0] &+= 1
        }
        lifetimes.add(nanoseconds: end.duration)
        // Each attempt of a held client was counted when it failed.
        guard record.connectDuration == nil, end.reason.isOfConnecting, record.hold?.isConnected != false else {
            return
        }
        countFailure(
            end.reason, at: record.upstream, proxy: record.upstreamProxy?.proxy, isRequested: record.request != nil,
            now: now)
    }

    /// Counts a failed connect to an upstream, or to the proxy through which it is connected. `now`: of the monotonic
    /// clock, milliseconds.
    mutating func countFailure(
        _ reason: EndReason, at upstream: String, proxy: String?, isRequested: Bool, now: UInt64
    ) {
        // A destination that a client chooses is never a label of a metric.
        countFailure(reason, at: proxy ?? (isRequested ? UpstreamAddress.requested.description : upstream))
        // Neither such a destination nor a proxy's refusal of it says anything about the relay.
        if !isRequested || proxy != nil && reason != .upstreamProxyFailed { recentConnects.add(reason, at: now) }
    }

    private mutating func countFailure(_ reason: EndReason, at endpoint: String) {
        let kind = ConnectFailure(endpoint: endpoint, reason: reason)
        let isNew = connectFailures[kind] == nil && connectFailures.count >= Self.mostConnectFailures
        connectFailures[isNew ? ConnectFailure(endpoint: Self.otherEndpoints, reason: reason) : kind, default: 0] &+= 1
    }

    /// Adds another worker's counters.
    mutating func add(_ other: RelayStats) {
        accepted &+= other.accepted
        bytesUp &+= other.bytesUp
        bytesDown &+= other.bytesDown
        splicedUp &+= other.splicedUp
        splicedDown &+= other.splicedDown
        acceptPauses &+= other.acceptPauses
        acceptErrors &+= other.acceptErrors
        recentConnects.add(other.recentConnects)
        connectTimes.add(other.connectTimes)
        lifetimes.add(other.lifetimes)
        ended.merge(other.ended, uniquingKeysWith: &+)
        endedSessions.merge(other.endedSessions) { $0.merging($1, uniquingKeysWith: &+) }
        connectFailures.merge(other.connectFailures, uniquingKeysWith: &+)
    }
}

extension ConnectionRecord {
    /// The reason for which TLS with the upstream has failed; nil if it has not.
    fileprivate var upstreamSessionFailure: EndReason? {
        switch end?.reason {
        case .tlsHandshakeFailed, .tlsCertificateRefused: closedBy == .upstream ? end?.reason : nil
        case .tlsHandshakeTimeout: upstreamAddress == nil ? nil : .tlsHandshakeTimeout
        default: nil
        }
    }
}
