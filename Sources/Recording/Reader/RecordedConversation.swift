public import Sockets
public import Text

/// One connection in a recording. A value; any thread.
public struct RecordedConversation: Hashable, Sendable {
    /// Tapline's connection ID in a Tapline recording; in other captures a sequential number.
    public var id: UInt64
    /// The encrypted leg that it is, according to Tapline's comments; nil: what was relayed, in plaintext.
    public var leg: Side?
    /// Whether Tapline recorded it, according to comments.
    public var isTaplines = false
    /// The relay's name; nil in other captures.
    public var relay: String?
    /// The client's address; the more likely side if the start was not captured.
    public var client: String
    /// The destination of the client's packets, or the listener in a Tapline recording.
    public var listener: String
    /// The upstream as configured; nil in other captures.
    public var upstream: String?
    /// The connected upstream address, or the last one tried; nil in other captures.
    public var upstreamAddress: String?
    /// The time of the first packet.
    public var started: Timestamp
    /// The time of the last packet before or at the end.
    public var ended: Timestamp
    /// The client's flow.
    public var up = Flow()
    /// The upstream's flow.
    public var down = Flow()
    /// The end reason, from the closed list of reasons: Tapline's, or derived from the order of FIN and RST. Nil if the
    /// end was not captured.
    public var reason: String?
    /// Who ended it, according to Tapline's comment: `client`, `upstream` or `tapline`.
    public var closedBy: String?
    /// The C symbol of the system error that ended it, according to Tapline's comment.
    public var errno: String?
    /// Bytes that Tapline could not record, according to its comment at the end.
    public var droppedBytes: UInt64?
    /// For an encrypted leg: the application protocol that was chosen, according to Tapline's comment, empty if none was;
    /// nil if that is unknown.
    public var application: String?
    /// Whether the start was captured.
    public var hasStart = false

    /// Identifies a conversation among those that are open: a connection in plaintext and its encrypted legs have one
    /// ID.
    public struct Key: Hashable, Sendable {
        /// The ID.
        public var id: UInt64
        /// The encrypted leg; nil: none.
        public var leg: Side?

        /// A key.
        public init(id: UInt64, leg: Side? = nil) {
            self.id = id
            self.leg = leg
        }
    }

    /// Its key.
    public var key: Key { Key(id: id, leg: leg) }

    /// The byte counts and the prefix of one flow.
    public struct Flow: Hashable, Sendable {
        /// Bytes in the recording.
        public var recorded: UInt64 = 0
        /// Bytes that were sent and are not in the recording.
        public var missing: UInt64 = 0
        /// Retransmitted bytes: the first copy is shown, and the others may differ.
        public var repeated: UInt64 = 0
        /// Tapline's own count of bytes since the connection began, if any.
        public var counted: UInt64?
        /// The first bytes, for recognising the protocol; empty if the reader does not keep them.
        public var prefix: [UInt8] = []

        /// All bytes of the flow, recorded or not.
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

    /// The protocol recognised by the first bytes. Not cached.
    public var `protocol`: Protocol {
        let recognised = Protocol.recognise(up: up.prefix, down: down.prefix)
        guard let application, recognised.family == .tls else { return recognised }
        return TLSRecogniser.recognise(up.prefix[...], down.prefix[...], chosen: application) ?? recognised
    }

    /// Recorded and missing bytes of both flows.
    public var bytes: UInt64 {
        let (sum, overflow) = up.passed.addingReportingOverflow(down.passed)
        return overflow ? .max : sum
    }

    /// Nanoseconds from the first packet to the last.
    public var duration: Int64 {
        let (duration, overflow) = ended.nanoseconds.subtractingReportingOverflow(started.nanoseconds)
        return overflow ? 0 : max(0, duration)
    }
}

/// An event of a `RecordingReader`, in the order of the recording.
public enum RecordingEvent {
    /// A conversation begins.
    case opened(RecordedConversation)
    /// Bytes of a flow.
    case bytes(RecordedBytes)
    /// Bytes of a flow are missing in the recording.
    case missing(RecordedGap)
    /// The conversation or the recording has ended. No further event of the conversation follows.
    case ended(RecordedConversation)
}

/// Contiguous bytes of one flow. A slice of the reader's buffer: copy it to keep it when adding bytes to the reader.
public struct RecordedBytes {
    /// The conversation.
    public let key: RecordedConversation.Key
    /// The conversation's ID.
    public var id: UInt64 { key.id }
    /// The flow.
    public let direction: Direction
    /// The capture time.
    public let time: Timestamp
    /// The bytes.
    public let bytes: ArraySlice<UInt8>
}

/// A gap in one flow.
public struct RecordedGap: Hashable, Sendable {
    /// The conversation.
    public let key: RecordedConversation.Key
    /// The conversation's ID.
    public var id: UInt64 { key.id }
    /// The flow.
    public let direction: Direction
    /// The capture time at which the bytes were declared missing.
    public let time: Timestamp
    /// The number of missing bytes.
    public let count: UInt64
}
