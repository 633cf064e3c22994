internal import Recording

/// One connection as its recorder knows it. Confined to the recorder's thread.
final class TappedConversation {
    var conversation: Conversation
    let account: TapAccount
    let counters: RecordingCounters
    let hasRecord: Bool
    /// Its connection has ended, or is recorded no more.
    var isOver = false

    init(_ conversation: Conversation, account: TapAccount, counters: RecordingCounters, hasRecord: Bool) {
        self.conversation = conversation
        self.account = account
        self.counters = counters
        self.hasRecord = hasRecord
    }
}
