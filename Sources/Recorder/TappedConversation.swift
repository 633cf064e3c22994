internal import Recording

/// One connection as its recorder knows it. Confined to the recorder's thread.
final class TappedConversation {
    let conversation: Conversation
    let account: TapAccount
    let counters: RecordingCounters
    let hasRecord: Bool
    /// How much of each flow had passed when its recording began.
    let upStart: UInt64
    let downStart: UInt64
    /// Its connection has ended, or is recorded no more.
    var isOver = false

    init(
        _ conversation: Conversation, account: TapAccount, counters: RecordingCounters, hasRecord: Bool,
        upStart: UInt64, downStart: UInt64
    ) {
        self.conversation = conversation
        self.account = account
        self.counters = counters
        self.hasRecord = hasRecord
        self.upStart = upStart
        self.downStart = downStart
    }
}
