internal import NIOCore
internal import Sockets
internal import Synchronization

/// The errors of accept(2) on the admin API's sockets. Any thread.
final class AcceptFailures: Sendable {
    private struct State {
        var last: String?
        var throttle: Throttle
    }

    private let state: Mutex<State>

    /// `period`: the shortest time between log entries, in nanoseconds.
    init(logEvery period: UInt64) {
        state = Mutex(State(throttle: Throttle(every: period)))
    }

    /// The last error since the previous call.
    func takeLast() -> String {
        state.withLock { state in
            defer { state.last = nil }
            return state.last ?? "its socket was closed"
        }
    }

    /// Stores an error.
    func note(_ error: String) {
        state.withLock { $0.last = error }
    }

    /// Whether an error may be logged now: one in each period.
    func mayLog() -> Bool {
        state.withLock { $0.throttle.allows(at: NIODeadline.now().uptimeNanoseconds) }
    }
}

/// Stores the errors of one listening socket.
final class AcceptErrors: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private let failures: AcceptFailures

    init(_ failures: AcceptFailures) {
        self.failures = failures
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failures.note("\(error)")
        context.fireErrorCaught(error)
    }
}
