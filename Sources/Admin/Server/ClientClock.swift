/// The time limits of one client of the API, as a state machine without effects. Times are nanoseconds of a monotonic
/// clock.
struct ClientClock: Hashable, Sendable {
    /// The limits in nanoseconds.
    enum Limits {
        /// From accept to the first request's complete header.
        static let header: UInt64 = 10_000_000_000
        /// From a request's header to the end of its body, or from its answer if that came first.
        static let body: UInt64 = 10_000_000_000
        /// From the end of a request to the first byte of its answer.
        static let answer: UInt64 = 30_000_000_000
        /// From an answer to the next request's complete header.
        static let idle: UInt64 = 60_000_000_000
        /// Without progress of the client in reading its answer.
        static let stalled: UInt64 = 30_000_000_000
    }

    /// The phase of the current request.
    enum Phase: Hashable, Sendable {
        case awaitingFirst, awaitingNext, receivingBody, answering, sending
        /// It receives an answer without an end.
        case streaming
        /// It has its answer, and the rest of its body is read and discarded.
        case discardingBody
    }

    /// Why a client may be evicted; earlier cases are evicted first.
    enum Idleness: Int, Hashable, Sendable {
        /// No request is in progress: a request, or the rest of a discarded body, is awaited.
        case nothingUnderWay
        /// The rest of its request is awaited.
        case sendsNothing
        /// It does not read its answer.
        case takesNothing
    }

    /// The order of eviction when there are too many clients: by idleness, then by the longest time in it.
    struct EvictionRank: Hashable, Comparable, Sendable {
        let idleness: Idleness
        let since: UInt64

        static func < (left: EvictionRank, right: EvictionRank) -> Bool {
            (left.idleness.rawValue, left.since) < (right.idleness.rawValue, right.since)
        }
    }

    enum Event: Hashable, Sendable {
        /// A request's header was received; its body; its answer has begun; it has ended.
        case head, endOfRequest, answerBegan, answerEnded
        /// An answer without an end has begun.
        case streamBegan
        /// The client has ended its half of the connection.
        case inputClosed
        /// The client stops reading, or reads again.
        case blocked, unblocked
    }

    private(set) var phase = Phase.awaitingFirst
    private(set) var since: UInt64
    private var blockedSince: UInt64?
    /// The answer began before the request's end: the rest of the body must be read.
    private var owesBody = false
    private var isInputClosed = false

    /// A client was accepted.
    init(at now: UInt64) {
        since = now
    }

    /// Its rank for eviction; nil while the server works for it and the client does not stall. Every way of stalling has a
    /// rank, so that no number of stalling clients can keep others out.
    var evictionRank: EvictionRank? {
        switch phase {
        case .awaitingFirst, .awaitingNext, .discardingBody: EvictionRank(idleness: .nothingUnderWay, since: since)
        case .receivingBody: EvictionRank(idleness: .sendsNothing, since: since)
        case .answering, .sending, .streaming: blockedSince.map { EvictionRank(idleness: .takesNothing, since: $0) }
        }
    }

    /// Whether it counts as gone. An end of stream may be a half-close of a client that waits for its answer. For an answer
    /// without an end, waiting for the next write could keep the slot forever on a quiet relay, so there the end of stream
    /// counts as a close, which it is when curl or a browser is closed.
    var hasLeft: Bool { isInputClosed && phase == .streaming }

    /// Handles an event.
    mutating func handle(_ event: Event, at now: UInt64) {
        switch event {
        case .head:
            set(.receivingBody, now)
            owesBody = true
        case .endOfRequest:
            owesBody = false
            if phase == .receivingBody { set(.answering, now) }
            if phase == .discardingBody { set(.awaitingNext, now) }
        case .answerBegan:
            set(.sending, now)
        case .streamBegan:
            set(.streaming, now)
        case .inputClosed:
            isInputClosed = true
        case .answerEnded:
            set(owesBody ? .discardingBody : .awaitingNext, now)
        case .blocked:
            blockedSince = blockedSince ?? now
        case .unblocked:
            blockedSince = nil
        }
    }

    private mutating func set(_ phase: Phase, _ now: UInt64) {
        self.phase = phase
        since = now
    }

    /// Whether a limit is exceeded.
    func isOver(at now: UInt64) -> Bool {
        if let blockedSince, now >= blockedSince + Limits.stalled { return true }
        let limit: UInt64
        switch phase {
        case .awaitingFirst: limit = Limits.header
        case .awaitingNext: limit = Limits.idle
        case .receivingBody, .discardingBody: limit = Limits.body
        case .answering: limit = Limits.answer
        case .sending, .streaming: return false
        }
        return now >= since + limit
    }
}
