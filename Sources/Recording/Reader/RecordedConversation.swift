public import Sockets
public import Text

/// One connection as a recording has it. A value; any thread.
public struct RecordedConversation: Hashable, Sendable {
    /// Tapline's connection id in a recording of Tapline's; in another capture the running number of its conversations.
    public var id: UInt64
    /// Whether Tapline recorded it, and said so in comments.
    public var isTaplines = false
    /// The relay's name; nil in another capture.
    public var relay: String?
    /// The client's address; of a conversation whose start was not captured, the likelier side.
    public var client: String
    /// Where the client's packets went, or the listener when Tapline says so.
    public var listener: String
    /// The upstream as configured; nil in another capture.
    public var upstream: String?
    /// The upstream's address that was connected, or tried last; nil in another capture.
    public var upstreamAddress: String?
    /// When its first packet passed.
    public var started: Timestamp
    /// When its last packet passed that belongs to its life: what comes after the end does not count.
    public var ended: Timestamp
    /// What was recorded and what was lost of each flow.
    public var up = Flow()
    /// What was recorded and what was lost of each flow.
    public var down = Flow()
    /// A word of the closed list of end reasons: what Tapline recorded, or what follows from the order of FIN and RST.
    /// Nil when the capture does not have the end.
    public var reason: String?
    /// Whether the recording has it from its first packet on.
    public var hasStart = false

    /// One of its two flows.
    public struct Flow: Hashable, Sendable {
        /// Bytes that the recording has.
        public var recorded: UInt64 = 0
        /// Bytes that passed, and that it does not have.
        public var missing: UInt64 = 0
        /// Bytes of retransmissions: of two copies the first is shown, and they may differ.
        public var repeated: UInt64 = 0
        /// Bytes that passed by Tapline's own count, from the connection's begin; nil where there is none.
        public var counted: UInt64?
        /// The first bytes, as many as it takes to recognise a protocol; empty when the reader does not keep them.
        public var prefix: [UInt8] = []

        /// Bytes that passed, as far as the recording knows.
        public var passed: UInt64 {
            let (sum, overflow) = recorded.addingReportingOverflow(missing)
            return counted ?? (overflow ? .max : sum)
        }
    }

    /// A flow by its direction.
    public subscript(direction: Direction) -> Flow {
        get { direction == .up ? up : down }
        _modify {
            if direction == .up { yield &up } else { yield &down }
        }
    }

    /// What its first bytes say it speaks. Asks each time.
    public var `protocol`: Protocol {
        Protocol.recognise(up: up.prefix, down: down.prefix)
    }

    /// Nanoseconds from its first packet to its last.
    public var duration: Int64 {
        let (duration, overflow) = ended.nanoseconds.subtractingReportingOverflow(started.nanoseconds)
        return overflow ? 0 : max(0, duration)
    }
}

/// What a reader of recordings tells of, in the order of the recording.
public enum RecordingEvent {
    /// A conversation was seen for the first time.
    case opened(RecordedConversation)
    /// Bytes of a flow.
    case bytes(RecordedBytes)
    /// Bytes of a flow passed that the recording does not have.
    case missing(RecordedGap)
    /// A conversation is over, or the recording is. Nothing of it follows.
    case ended(RecordedConversation)
}

/// Bytes of one flow, without a hole. A part of the reader's buffer: hold it no longer than until the next bytes are
/// given to the reader, or copy it.
public struct RecordedBytes {
    /// The conversation.
    public let id: UInt64
    /// The flow.
    public let direction: Direction
    /// When they passed.
    public let time: Timestamp
    /// The bytes.
    public let bytes: ArraySlice<UInt8>
}

/// A hole in one flow.
public struct RecordedGap: Hashable, Sendable {
    /// The conversation.
    public let id: UInt64
    /// The flow.
    public let direction: Direction
    /// When it was given up that they come.
    public let time: Timestamp
    /// How many bytes are missing.
    public let count: UInt64
}
