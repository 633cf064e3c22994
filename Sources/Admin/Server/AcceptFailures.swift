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

    /// `period`: how often they are logged at most, in nanoseconds.
    init(logEvery period: UInt64) {
        state = Mutex(State(throttle: Throttle(every: period)))
    }

    /// The error since the last call.
    func takeLast() -> String {
        state.withLock { state in
            defer { state.last = nil }
            return state.last ?? "its socket was closed"
        }
    }

    /// Notes an error.
    func note(_ error: String) {
        state.withLock { $0.last = error }
    }

    /// Whether the last one may be logged now: the first, and then one in every period.
    func mayLog() -> Bool {
        state.withLock { $0.throttle.allows(at: NIODeadline.now().uptimeNanoseconds) }
    }
}

/// Notes the errors of one listening socket.
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
