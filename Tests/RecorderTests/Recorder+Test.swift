import EventLoop
import TestSupport

@testable import Recorder

extension Recorder {
    /// A recorder without an observer.
    static func unobserved(_ plan: Plan, _ sink: RecordingSink) throws -> Recorder {
        let counters = RecordingCounters()
        let hooks = Hooks(hasRoom: {}, finished: { _, _ in }, counters: { _ in counters }, gone: { _ in })
        return try Recorder(plan, sink: sink, hooks: hooks, logger: LogCapture().logger)
    }

    /// Writes the ring's content, and joins the thread; false after half a minute.
    func end() -> Bool {
        let done = Countdown(1)
        finish { done.down() }
        guard done.wait(atMost: 30_000) else { return false }
        join()
        return true
    }
}
