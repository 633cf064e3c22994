import Testing

@testable import Daemon

struct UpgradeSequenceTests {
    @Test(
        arguments: [
            ([.asked, .copied, .ready, .ended], [.copy, .start, .handOver, .reportEnd], .over),
            ([.asked, .copied, .ended, .asked], [.copy, .start, .goOn, .copy], .copying),
            ([.asked, .failed, .copied], [.copy, .goOn, .none], .idle),
            ([.asked, .copied, .failed], [.copy, .start, .goOn], .idle),
            ([.asked, .asked, .copied, .asked], [.copy, .refuse, .start, .refuse], .starting),
            ([.asked, .late, .copied], [.copy, .goOn, .none], .idle),
            // Ready too late: it was terminated already.
            (
                [.asked, .copied, .late, .ready, .asked, .late, .ended],
                [.copy, .start, .terminate, .none, .refuse, .kill, .none], .idle
            ),
            ([.asked, .copied, .stopping, .ready, .late], [.copy, .start, .stopBoth, .none, .kill], .terminating),
            ([.asked, .stopping, .copied], [.copy, .none, .none], .idle),
            (
                [.asked, .copied, .ready, .late, .stopping, .asked],
                [.copy, .start, .handOver, .none, .none, .refuse], .over
            ),
        ] as [([UpgradeSequence.Event], [UpgradeSequence.Action], UpgradeSequence.State)])
    func events_leadToActions(
        events: [UpgradeSequence.Event], actions: [UpgradeSequence.Action], state: UpgradeSequence.State
    ) {
        var sequence = UpgradeSequence()
        #expect(events.map { sequence.handle($0) } == actions)
        #expect(sequence.state == state)
    }

    /// The other process may have read the configuration, so it must not change until the upgrade is decided.
    @Test func configuration_isHeldWhileAnotherProcessStarts() {
        var sequence = UpgradeSequence()
        #expect(!sequence.isUnderWay)
        for (event, isUnderWay) in [(UpgradeSequence.Event.asked, true), (.copied, true), (.late, false)] {
            _ = sequence.handle(event)
            #expect(sequence.isUnderWay == isUnderWay)
        }
    }
}
