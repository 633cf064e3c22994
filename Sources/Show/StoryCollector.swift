import Recording
import Text

/// The stories of open conversations, by their events. A connection has one, that of its plaintext; where there is
/// none, because its handshake has failed, that of an encrypted leg. A value.
struct StoryCollector {
    typealias Ended = (conversation: RecordedConversation, sentences: [String])

    private var stories: [RecordedConversation.Key: RecordedStory] = [:]
    /// Legs that have ended, of connections without plaintext so far.
    private var legs: [UInt64: Ended] = [:]
    private var inPlaintext: Set<UInt64> = []

    /// Adds an event. If it is the end of a plaintext conversation, returns that with its sentences.
    mutating func add(_ event: RecordingEvent, times: TimeText) -> Ended? {
        switch event {
        case .opened(let conversation):
            stories[conversation.key] = RecordedStory(conversation)
            if conversation.leg == nil {
                inPlaintext.insert(conversation.id)
                legs[conversation.id] = nil
            }
        case .bytes(let piece): stories[piece.key]?.add(piece.direction, at: piece.time)
        case .missing: break
        case .ended(let conversation):
            guard var story = stories.removeValue(forKey: conversation.key) else { return nil }
            let ended = (conversation, story.sentences(conversation, times: times))
            guard conversation.leg != nil else { return ended }
            if !inPlaintext.contains(conversation.id) { legs[conversation.id] = legs[conversation.id] ?? ended }
        }
        return nil
    }

    /// The connections that had no plaintext.
    mutating func finish() -> [Ended] {
        defer { legs = [:] }
        return legs.values.sorted { $0.conversation.id < $1.conversation.id }
    }
}
