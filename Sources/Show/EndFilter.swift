import Recording

/// Which conversations are shown, by what is known when they have ended. A value.
package struct EndFilter: Hashable, Sendable {
    private let words: String?
    private let closedBy: String?
    private let reason: String?

    /// Nil: no restriction. `words` are in an address, a name, the protocol or the reason; case is ignored.
    package init(words: String? = nil, closedBy: String? = nil, reason: String? = nil) {
        self.words = words?.lowercased()
        self.closedBy = closedBy
        self.reason = reason
    }

    /// Whether there is a restriction.
    package var isActive: Bool { words != nil || closedBy != nil || reason != nil }

    /// Whether a conversation that has ended matches.
    func matches(_ conversation: RecordedConversation) -> Bool {
        if let closedBy, conversation.endedBy != closedBy { return false }
        if let reason, conversation.reason != reason { return false }
        guard let words else { return true }
        let texts = [
            conversation.relay, conversation.client, conversation.listener, conversation.upstream,
            conversation.upstreamAddress, conversation.reason, conversation.errno, conversation.endedBy,
            "\(conversation.protocol)",
        ]
        return texts.contains { $0?.lowercased().contains(words) ?? false }
    }

    /// The options, for a message.
    var text: String {
        let options = [
            words.map { "--filter \($0)" }, closedBy.map { "--closed-by \($0)" }, reason.map { "--reason \($0)" },
        ]
        return options.compactMap(\.self).joined(separator: " ")
    }
}
