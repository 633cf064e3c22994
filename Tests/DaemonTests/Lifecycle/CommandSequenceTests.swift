import Testing

@testable import Daemon

/// When the upstream's command is started, stopped and given up.
@Suite struct CommandSequenceTests {
    typealias Event = CommandSequence.Event
    typealias Action = CommandSequence.Action

    private static let failed = Event.exited(.early, isWanted: true)

    @Test(
        arguments: [
            // Started once, whatever the number of clients.
            ([.clientHeld, .clientHeld, .clientHeld], [.start, .none, .none]),
            // Nothing was started.
            ([.end], [.done]),
            ([.clientHeld, .end, .exited(.early, isWanted: false)], [.start, .terminate, .done]),
            ([.clientHeld, .end, .graceOver, .exited(.early, isWanted: true)], [.start, .terminate, .kill, .done]),
            // A second signal.
            ([.clientHeld, .end, .end, .exited(.early, isWanted: false)], [.start, .terminate, .kill, .done]),
            // Idle, and started again by the next client.
            (
                [.clientHeld, .idleTooLong, .exited(.early, isWanted: false), .clientHeld],
                [.start, .terminate, .none, .start]
            ),
            // A client comes while it is being stopped.
            (
                [.clientHeld, .idleTooLong, .clientHeld, .exited(.early, isWanted: true)],
                [.start, .terminate, .none, .start]
            ),
            // That client is gone again.
            (
                [.clientHeld, .idleTooLong, .clientHeld, .exited(.early, isWanted: false), .clientHeld],
                [.start, .terminate, .none, .none, .start]
            ),
            (
                [.clientHeld, .idleTooLong, .graceOver, .exited(.early, isWanted: false)],
                [.start, .terminate, .kill, .none]
            ),
            (
                [.clientHeld, .idleTooLong, .end, .exited(.early, isWanted: false)],
                [.start, .terminate, .terminate, .done]
            ),
            // It fails three times for the same clients.
            (
                [.clientHeld, failed, .pauseOver(isWanted: true), failed, .pauseOver(isWanted: true), failed],
                [.start, .pause(1000), .start, .pause(2000), .start, .refuse(thenPause: 1000)]
            ),
            // Afterwards at most once a second.
            (
                [
                    .clientHeld, failed, .pauseOver(isWanted: true), failed, .pauseOver(isWanted: true), failed,
                    .clientHeld,
                    .pauseOver(isWanted: true),
                ],
                [.start, .pause(1000), .start, .pause(2000), .start, .refuse(thenPause: 1000), .none, .start]
            ),
            // No client waits for it any more.
            (
                [.clientHeld, failed, .pauseOver(isWanted: false), .clientHeld], [.start, .pause(1000), .none, .start]
            ),
            // It ran for a while before it failed: the count begins again.
            (
                [
                    .clientHeld, failed, .pauseOver(isWanted: true), failed, .pauseOver(isWanted: true),
                    .exited(.late, isWanted: true), .pauseOver(isWanted: true),
                ],
                [.start, .pause(1000), .start, .pause(2000), .start, .pause(1000), .start]
            ),
            // A connection was served in between: the upstream was up, e.g. one that serves one client and ends.
            (
                [
                    .clientHeld, failed, .served, .pauseOver(isWanted: true), failed, .served,
                    .pauseOver(isWanted: true), failed,
                ],
                [.start, .pause(1000), .none, .start, .pause(2000), .none, .start, .pause(2000)]
            ),
            // Processes that it leaves behind have ended before it is started again.
            (
                [
                    .clientHeld, .leaderFailed, .clientHeld, .exited(.early, isWanted: true),
                    .pauseOver(isWanted: true),
                ],
                [.start, .terminate, .none, .pause(1000), .start]
            ),
            (
                [.clientHeld, .leaderFailed, .graceOver, .exited(.early, isWanted: true)],
                [.start, .terminate, .kill, .pause(1000)]
            ),
            // Tapline ends meanwhile.
            (
                [.clientHeld, .leaderFailed, .end, .graceOver, .exited(.early, isWanted: true)],
                [.start, .terminate, .terminate, .kill, .done]
            ),
            (
                [.clientHeld, .leaderFailed, .end, .end, .exited(.early, isWanted: false)],
                [.start, .terminate, .terminate, .kill, .done]
            ),
            ([.clientHeld, failed, .end], [.start, .pause(1000), .done]),
            // Late events.
            (
                [.end, .clientHeld, .pauseOver(isWanted: true), .graceOver, .idleTooLong],
                [.done, .none, .none, .none, .none]
            ),
        ] as [([Event], [Action])])
    func events_leadToActions(events: [Event], actions: [Action]) {
        var sequence = CommandSequence()
        let taken = events.map { sequence.handle($0) }
        #expect(taken == actions)
    }

    /// However often it fails, and whatever clients come: between two starts lies a pause.
    @Test func commandThatAlwaysFails_neverStartsTwiceWithoutAPause() {
        var sequence = CommandSequence()
        var isPausing = false
        var starts = 0
        for round in 0..<1000 {
            let event: Event =
                switch sequence.state {
                case .running: .exited(.early, isWanted: true)
                case .pausing where round % 3 == 0: .pauseOver(isWanted: true)
                default: .clientHeld
                }
            if case .pauseOver = event { isPausing = false }
            switch sequence.handle(event) {
            case .start:
                #expect(!isPausing)
                starts += 1
            case .pause(let milliseconds), .refuse(let milliseconds):
                #expect(milliseconds >= 1000)
                isPausing = true
            case .none, .terminate, .kill, .done: break
            }
        }
        #expect(starts > 100)
    }
}
