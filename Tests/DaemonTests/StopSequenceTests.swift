import Testing

@testable import Daemon

struct StopSequenceTests {
    @Test(
        arguments: [
            ([.asked, .workersStopped, .linesWritten], [.drain, .flush, .end]),
            ([.asked, .asked, .workersStopped, .linesWritten], [.drain, .stop, .flush, .end]),
            ([.asked, .asked, .asked, .workersStopped, .linesWritten], [.drain, .stop, .none, .flush, .end]),
            ([.asked, .workersStopped, .asked], [.drain, .flush, .abandon]),
            ([.asked, .workersStopped, .flushTimedOut], [.drain, .flush, .abandon]),
            ([.workersStopped, .linesWritten], [.flush, .end]),
            ([.workersStopped, .workersStopped, .linesWritten], [.flush, .none, .end]),
            ([.workersStopped, .flushTimedOut, .linesWritten, .asked], [.flush, .abandon, .none, .none]),
            ([.workersStopped, .linesWritten, .flushTimedOut], [.flush, .end, .none]),
            ([.replaced(by: 7), .workersStopped, .linesWritten], [.leave(to: 7), .flush, .end]),
            (
                [.replaced(by: 7), .asked, .asked, .workersStopped, .linesWritten],
                [.leave(to: 7), .drain, .stop, .flush, .end]
            ),
            ([.asked, .replaced(by: 7), .workersStopped, .linesWritten], [.drain, .none, .flush, .end]),
        ] as [([StopSequence.Event], [StopSequence.Action])])
    func events_leadToActions(events: [StopSequence.Event], actions: [StopSequence.Action]) {
        var sequence = StopSequence()
        #expect(events.map { sequence.handle($0) } == actions)
        #expect(sequence.state == .ended)
    }
}
