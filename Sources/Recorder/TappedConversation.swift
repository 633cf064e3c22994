internal import Recording

/// A recorder's state of one connection. Confined to the recorder's thread.
final class TappedConversation {
    let conversation: Conversation
    let account: TapAccount
    let counters: RecordingCounters
    let hasRecord: Bool
    /// The flows' offsets at which the recording began.
    let upStart: UInt64
    let downStart: UInt64
    /// Whether it is an encrypted leg, whose bytes are not relayed ones.
    let isEncrypted: Bool
    /// Whether the connection or its recording has ended.
    var isOver = false

    init(
        _ conversation: Conversation, account: TapAccount, counters: RecordingCounters, hasRecord: Bool,
        upStart: UInt64, downStart: UInt64
    ) {
        self.conversation = conversation
        isEncrypted = conversation.origin.leg != nil
        self.account = account
        self.counters = counters
        self.hasRecord = hasRecord
        self.upStart = upStart
        self.downStart = downStart
    }
}
