/// How long one client of the API may take for what, as a machine without effects. Times are nanoseconds of any clock
/// that does not jump.
struct ClientClock: Hashable, Sendable {
    /// The bounds, in nanoseconds.
    enum Limits {
        /// From accept to the first request's whole header.
        static let header: UInt64 = 10_000_000_000
        /// From a request's header to the end of its body.
        static let body: UInt64 = 10_000_000_000
        /// From the end of a request to the first byte of its answer.
        static let answer: UInt64 = 30_000_000_000
        /// Between an answer and the next request's whole header.
        static let idle: UInt64 = 60_000_000_000
        /// A client takes nothing of its answer.
        static let stalled: UInt64 = 30_000_000_000
    }

    /// What the client, or the server, is at.
    enum Phase: Hashable, Sendable {
        case awaitingFirst, awaitingNext, receivingBody, answering, sending
    }

    enum Event: Hashable, Sendable {
        /// A request's header has come; its body; its answer has begun, and is over.
        case head, endOfRequest, answerBegan, answerEnded
        /// The client takes no more of what is sent, or takes again.
        case blocked, unblocked
    }

    private(set) var phase = Phase.awaitingFirst
    private(set) var since: UInt64
    private var blockedSince: UInt64?
    /// The answer began before the request's end: the rest of the body is still to be read.
    private var owesBody = false

    /// A client was accepted.
    init(at now: UInt64) {
        since = now
    }

    /// Whether it does nothing but wait for a request: then it may have to make room for another.
    var isIdle: Bool { phase == .awaitingFirst || phase == .awaitingNext }

    /// Something happened.
    mutating func handle(_ event: Event, at now: UInt64) {
        switch event {
        case .head:
            set(.receivingBody, now)
            owesBody = true
        case .endOfRequest:
            owesBody = false
            if phase == .receivingBody { set(.answering, now) }
        case .answerBegan:
            set(.sending, now)
        case .answerEnded:
            set(owesBody ? .receivingBody : .awaitingNext, now)
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

    /// Whether its time is up.
    func isOver(at now: UInt64) -> Bool {
        if let blockedSince, now >= blockedSince + Limits.stalled { return true }
        let limit: UInt64
        switch phase {
        case .awaitingFirst: limit = Limits.header
        case .awaitingNext: limit = Limits.idle
        case .receivingBody: limit = Limits.body
        case .answering: limit = Limits.answer
        case .sending: return false
        }
        return now >= since + limit
    }
}
