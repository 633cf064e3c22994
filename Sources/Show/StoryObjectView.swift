import Recording
import Text

/// The story of each conversation as an object, with the keys of an end record as far as a recording has the values.
struct StoryObjectView: RecordingView {
    private var stories = StoryCollector()

    mutating func append(_ event: RecordingEvent, into output: inout [UInt8]) {
        if let ended = stories.add(event, times: .utc) { Self.append(ended, into: &output) }
    }

    mutating func finish(into output: inout [UInt8]) {
        for ended in stories.finish() { Self.append(ended, into: &output) }
    }

    private static func append(_ ended: StoryCollector.Ended, into output: inout [UInt8]) {
        object(ended.conversation, ended.sentences).append(to: &output)
        output.append(UInt8(ascii: "\n"))
    }

    private static func object(_ ended: RecordedConversation, _ sentences: [String]) -> JSONValue {
        func text(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
        func number(_ number: (some BinaryInteger)?) -> JSONValue { number.map { .number("\($0)") } ?? .null }
        let members: [(String, JSONValue)] = [
            // Of an end record it is the time of the end.
            ("time", text(ended.reason == nil ? nil : TimeText.utc.text(ended.ended))),
            ("id", number(ended.id)),
            ("relay", text(ended.relay)),
            ("client", text(ended.client)),
            ("listener", text(ended.listener)),
            ("upstream", text(ended.upstream)),
            ("upstream_address", text(ended.upstreamAddress)),
            ("accepted", text(ended.hasStart ? TimeText.utc.text(ended.started) : nil)),
            ("bytes_up", number(ended.up.passed)),
            ("bytes_down", number(ended.down.passed)),
            ("duration_ms", number(ended.duration / 1_000_000)),
            ("closed_by", text(ended.endedBy)),
            ("reason", text(ended.reason)),
            ("errno", text(ended.errno)),
            ("dropped_bytes", number(ended.droppedBytes)),
            ("protocol", text("\(ended.protocol)")),
            ("story", .array(sentences.map { .string($0) })),
        ]
        return .object(members.map { JSONValue.Member(key: $0, value: $1) })
    }
}
