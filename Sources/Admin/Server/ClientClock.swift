/// How long one client of the API may take for what, as a machine without effects. Times are nanoseconds of any clock
/// that does not jump.
struct ClientClock: Hashable, Sendable {
    /// The bounds, in nanoseconds.
    enum Limits {
        /// From accept to the first request's whole header.
        static let header: UInt64 = 10_000_000_000
        /// From a request's header to the end of its body; where that was answered before, from the answer on.
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
        /// It is sent an answer that goes on.
        case streaming
        /// It has its answer, and the rest of its body is still to come, which nobody wants any more.
        case discardingBody
    }

    /// Why somebody may have to make room for another, who goes first before who goes next.
    enum Idleness: Int, Hashable, Sendable {
        /// Nothing is under way: it waits for a request, or for the rest of a body that is thrown away.
        case nothingUnderWay
        /// The rest of its request is waited for.
        case sendsNothing
        /// It takes nothing of its answer.
        case takesNothing
    }

    /// A place in the order in which clients go where there is no room for all: the more idle first, and of those who
    /// are equally so, the one that has been so for the longest time.
    struct Turn: Hashable, Comparable, Sendable {
        let idleness: Idleness
        let since: UInt64

        static func < (left: Turn, right: Turn) -> Bool {
            (left.idleness.rawValue, left.since) < (right.idleness.rawValue, right.since)
        }
    }

    enum Event: Hashable, Sendable {
        /// A request's header has come; its body; its answer has begun, and is over.
        case head, endOfRequest, answerBegan, answerEnded
        /// Its answer has begun, and goes on until it leaves.
        case streamBegan
        /// The client has ended its half of the connection.
        case inputClosed
        /// The client takes no more of what is sent, or takes again.
        case blocked, unblocked
    }

    private(set) var phase = Phase.awaitingFirst
    private(set) var since: UInt64
    private var blockedSince: UInt64?
    /// The answer began before the request's end: the rest of the body is still to be read.
    private var owesBody = false
    private var isInputClosed = false

    /// A client was accepted.
    init(at now: UInt64) {
        since = now
    }

    /// When it has to make room for another; nil as long as something is done for it that it does not hold up. Whoever
    /// only stalls has a turn, however he does it, so that no number of such clients can keep others out.
    var turn: Turn? {
        switch phase {
        case .awaitingFirst, .awaitingNext, .discardingBody: Turn(idleness: .nothingUnderWay, since: since)
        case .receivingBody: Turn(idleness: .sendsNothing, since: since)
        case .answering, .sending, .streaming: blockedSince.map { Turn(idleness: .takesNothing, since: $0) }
        }
    }

    /// Whether it counts as gone. An end of stream may be half a close, of somebody who has asked and waits for the
    /// answer. One that has no end would hold its place until something passes, which on a quiet relay is never; so
    /// there it is taken for what it is when curl or a browser is closed.
    var hasLeft: Bool { isInputClosed && phase == .streaming }

    /// Something happened.
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

    /// Whether its time is up.
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
