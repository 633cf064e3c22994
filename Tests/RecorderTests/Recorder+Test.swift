import EventLoop
import TestSupport

@testable import Recorder

extension Recorder {
    /// A recorder whose reports nothing needs.
    static func unobserved(_ plan: Plan, _ sink: RecordingSink) throws -> Recorder {
        let counters = RecordingCounters()
        let hooks = Hooks(hasRoom: {}, finished: { _, _ in }, counters: { _ in counters }, gone: { _ in })
        return try Recorder(plan, sink: sink, hooks: hooks, logger: LogCapture().logger)
    }

    /// Writes what is in the ring, and waits for the end of the thread; false where that takes half a minute.
    func end() -> Bool {
        let done = Countdown(1)
        finish { done.down() }
        guard done.wait(atMost: 30_000) else { return false }
        join()
        return true
    }
}
