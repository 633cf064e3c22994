import Recording
import Text

/// The order of the lines of a summary. A value.
package struct ShowSort: Hashable, Sendable {
    /// The sort keys; those that `tapline connections` has, too, mean the same.
    package enum Key: String, CaseIterable, Hashable, Sendable {
        case id, start, duration, bytes
        case bytesUp = "bytes_up"
        case bytesDown = "bytes_down"
        case client, relay, upstream
    }

    /// All keys, as they are written.
    package static let keys = Key.allCases.map(\.rawValue)

    let key: Key
    let isReversed: Bool

    /// An order. Numbers begin with the largest; ids, times and names with the smallest.
    package init(_ key: Key, isReversed: Bool = false) {
        self.key = key
        self.isReversed = isReversed
    }

    /// Parses a key; a `-` before it reverses the order. Nil for an unknown key.
    package init?(parsing text: String) {
        let isReversed = text.hasPrefix("-")
        guard let key = Key(rawValue: isReversed ? String(text.dropFirst()) : text) else { return nil }
        self.init(key, isReversed: isReversed)
    }

    /// What a line is sorted by: a number, then a text.
    struct Value: Hashable, Sendable {
        var number: Int64 = 0
        var text = ""
    }

    /// The value of a conversation. Smaller ones come first.
    func value(of conversation: RecordedConversation) -> Value {
        switch key {
        case .id: Value(number: Int64(clamping: conversation.id))
        case .start: Value(number: conversation.started.nanoseconds)
        case .duration: Value(number: -conversation.duration)
        case .bytes: Value(number: -Int64(clamping: conversation.bytes))
        case .bytesUp: Value(number: -Int64(clamping: conversation.up.passed))
        case .bytesDown: Value(number: -Int64(clamping: conversation.down.passed))
        case .client: Value(text: conversation.client)
        case .relay: Value(text: conversation.relay ?? "")
        case .upstream: Value(text: conversation.destination)
        }
    }

    /// Whether a line comes before another one; equal values are in the order of their ids.
    func isBefore(_ first: (value: Value, id: UInt64), _ second: (value: Value, id: UInt64)) -> Bool {
        let (one, other) = isReversed ? (second, first) : (first, second)
        return (one.value.number, one.value.text, one.id) < (other.value.number, other.value.text, other.id)
    }
}
