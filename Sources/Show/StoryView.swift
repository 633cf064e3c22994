import Recording
import Terminal
import Text

/// The story of each conversation, in sentences.
struct StoryView: RecordingView {
    private let columns: Int
    private let terminal: TerminalTraits
    private let times: TimeText
    /// Stories of open conversations by id.
    private var stories: [UInt64: RecordedStory] = [:]

    init(columns: Int, terminal: TerminalTraits, times: TimeText) {
        self.columns = columns
        self.terminal = terminal
        self.times = times
    }

    mutating func append(_ event: RecordingEvent, into output: inout [UInt8]) {
        switch event {
        case .opened(let conversation): stories[conversation.id] = RecordedStory(conversation)
        case .bytes(let piece): stories[piece.id]?.add(piece.direction, at: piece.time)
        case .missing: break
        case .ended(let conversation):
            guard var story = stories.removeValue(forKey: conversation.id) else { return }
            let title = "connection \(conversation.id), \(conversation.protocol)".harmless(
                showsUnicode: terminal.showsUnicode)
            output.append(terminal.painted(title, conversation.isFailure ? .boldFailure : .bold) + "\n\n")
            for sentence in story.sentences(conversation, times: times) {
                for line in sentence.harmless(showsUnicode: terminal.showsUnicode).wrapped(to: columns) {
                    output.append(line + "\n")
                }
            }
        }
    }
}
