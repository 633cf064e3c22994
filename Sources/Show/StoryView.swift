import Recording
import Terminal
import Text

/// The story of each conversation, in sentences.
struct StoryView: RecordingView {
    private let columns: Int
    private let terminal: TerminalTraits
    private let times: TimeText
    private var stories = StoryCollector()

    init(columns: Int, terminal: TerminalTraits, times: TimeText) {
        self.columns = columns
        self.terminal = terminal
        self.times = times
    }

    mutating func append(_ event: RecordingEvent, into output: inout [UInt8]) {
        if let ended = stories.add(event, times: times) { append(ended, into: &output) }
    }

    mutating func finish(into output: inout [UInt8]) {
        for ended in stories.finish() { append(ended, into: &output) }
    }

    private func append(_ ended: StoryCollector.Ended, into output: inout [UInt8]) {
        let (conversation, sentences) = ended
        let title = "connection \(conversation.id), \(conversation.protocol)".harmless(
            showsUnicode: terminal.showsUnicode)
        output.append(terminal.painted(title, conversation.isFailure ? .boldFailure : .bold) + "\n\n")
        for sentence in sentences {
            for line in sentence.harmless(showsUnicode: terminal.showsUnicode).wrapped(to: columns) {
                output.append(line + "\n")
            }
        }
    }
}
