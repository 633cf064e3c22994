import Testing

@testable import Daemon

/// When the upstream's command is started, stopped and given up.
@Suite struct CommandSequenceTests {
    typealias Event = CommandSequence.Event
    typealias Action = CommandSequence.Action

    private static let failed = Event.exited(.failed, isWanted: true)

    @Test(
        arguments: [
            // Started once, whatever the number of clients.
            ([.clientHeld, .clientHeld, .clientHeld], [.start, .none, .none]),
            // Nothing was started.
            ([.end], [.done]),
            ([.clientHeld, .end, .exited(.succeeded, isWanted: false)], [.start, .terminate, .done]),
            ([.clientHeld, .end, .graceOver, .exited(.failed, isWanted: true)], [.start, .terminate, .kill, .done]),
            // A second signal.
            ([.clientHeld, .end, .end, .exited(.failed, isWanted: false)], [.start, .terminate, .kill, .done]),
            // Idle, and started again by the next client.
            (
                [.clientHeld, .idleTooLong, .exited(.failed, isWanted: false), .clientHeld],
                [.start, .terminate, .none, .start]
            ),
            // A client comes while it is being stopped.
            (
                [.clientHeld, .idleTooLong, .clientHeld, .exited(.failed, isWanted: true)],
                [.start, .terminate, .none, .start]
            ),
            // That client is gone again.
            (
                [.clientHeld, .idleTooLong, .clientHeld, .exited(.failed, isWanted: false), .clientHeld],
                [.start, .terminate, .none, .none, .start]
            ),
            (
                [.clientHeld, .idleTooLong, .graceOver, .exited(.failed, isWanted: false)],
                [.start, .terminate, .kill, .none]
            ),
            (
                [.clientHeld, .idleTooLong, .end, .exited(.failed, isWanted: false)],
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
                    .exited(.failedLater, isWanted: true), .pauseOver(isWanted: true),
                ],
                [.start, .pause(1000), .start, .pause(2000), .start, .pause(1000), .start]
            ),
            // Status 0: the clients that wait go on waiting, and only a later one starts it again.
            (
                [.clientHeld, .exited(.succeeded, isWanted: true), .pauseOver(isWanted: true), .clientHeld],
                [.start, .pause(1000), .none, .start]
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
                case .running: .exited(round % 7 == 0 ? .succeeded : .failed, isWanted: true)
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
