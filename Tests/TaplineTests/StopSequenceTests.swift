import Testing

@testable import tapline

struct StopSequenceTests {
    @Test(
        arguments: [
            ([.asked, .workersStopped, .linesWritten], [.drain, .flush, .leave]),
            ([.asked, .asked, .workersStopped, .linesWritten], [.drain, .stop, .flush, .leave]),
            ([.asked, .asked, .asked, .workersStopped, .linesWritten], [.drain, .stop, .none, .flush, .leave]),
            ([.asked, .workersStopped, .asked], [.drain, .flush, .abandon]),
            ([.asked, .workersStopped, .patienceLost], [.drain, .flush, .abandon]),
            ([.workersStopped, .linesWritten], [.flush, .leave]),
            ([.workersStopped, .workersStopped, .linesWritten], [.flush, .none, .leave]),
            ([.workersStopped, .patienceLost, .linesWritten, .asked], [.flush, .abandon, .none, .none]),
            ([.workersStopped, .linesWritten, .patienceLost], [.flush, .leave, .none]),
        ] as [([StopSequence.Event], [StopSequence.Action])])
    func events_leadToActions(events: [StopSequence.Event], actions: [StopSequence.Action]) {
        var sequence = StopSequence()
        #expect(events.map { sequence.handle($0) } == actions)
        #expect(sequence.state == .ended)
    }
}
