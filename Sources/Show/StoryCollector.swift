import Recording
import Text

/// The stories of open conversations, by their events. A value.
struct StoryCollector {
    private var stories: [UInt64: RecordedStory] = [:]

    /// Adds an event. If it is the end of a conversation, returns that with its sentences.
    mutating func add(
        _ event: RecordingEvent, times: TimeText
    ) -> (conversation: RecordedConversation, sentences: [String])? {
        switch event {
        case .opened(let conversation): stories[conversation.id] = RecordedStory(conversation)
        case .bytes(let piece): stories[piece.id]?.add(piece.direction, at: piece.time)
        case .missing: break
        case .ended(let conversation):
            guard var story = stories.removeValue(forKey: conversation.id) else { return nil }
            return (conversation, story.sentences(conversation, times: times))
        }
        return nil
    }
}
