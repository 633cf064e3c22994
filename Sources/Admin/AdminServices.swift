public import Configuration
public import Relay

/// What the admin API shows and steers, as values that its owner fills in. Any thread.
///
/// What is nil is not there: its endpoints answer 501, or 409 for a reload without a file.
public struct AdminServices: Sendable {
    /// The workers.
    public var relays: RelayService
    /// What is true of the process as a whole.
    public var standing: Standing
    /// What happened of late.
    public var journal: Journal
    /// Reads the configuration file again; answers when that is done or refused.
    public var reload: (@Sendable () async -> ReloadReport)?
    /// Starts to drain and to end, as SIGTERM does; a second call does nothing.
    public var drain: @Sendable () -> Void
    /// Starts recording a relay, or answers how it is recorded already. With settings, by these.
    public var startRecording: (@Sendable (String, RecordSettings?) async throws(RecordingRefusal) -> RecordingState)?
    /// Ends recording a relay, its file closed whole; answers what it came to.
    public var stopRecording: (@Sendable (String) async throws(RecordingRefusal) -> RecordingState)?
    /// How every relay is recorded that is or was; others may be left out.
    public var recordings: (@Sendable () async -> [RecordingState])?
    /// A live stream of pcapng, from its section header on: of a relay, of a connection, or of all. It must bound what
    /// waits for a slow reader, and end itself when its iterator is dropped.
    public var liveTap:
        (
            @Sendable (_ relay: String?, _ connection: UInt64?) throws(RecordingRefusal)
                -> any AsyncSequence<[UInt8], Never> & Sendable
        )?

    /// The parts that are always there.
    public init(relays: RelayService, standing: Standing, journal: Journal, drain: @escaping @Sendable () -> Void) {
        self.relays = relays
        self.standing = standing
        self.journal = journal
        self.drain = drain
    }
}

/// How a relay is recorded.
public struct RecordingState: Hashable, Sendable {
    /// The relay's name.
    public var relay: String
    /// Whether bytes are recorded now.
    public var isRecording: Bool
    /// The file that is written now; nil without one.
    public var file: String?
    /// Bytes recorded since Tapline started.
    public var recordedBytes: UInt64
    /// Bytes that had to be left out since then.
    public var droppedBytes: UInt64
    /// When the recording that runs was started, in nanoseconds since 1970 UTC; nil while none runs.
    public var since: Int64?

    /// A state; a relay that was never recorded has the defaults.
    public init(
        relay: String, isRecording: Bool = false, file: String? = nil, recordedBytes: UInt64 = 0,
        droppedBytes: UInt64 = 0, since: Int64? = nil
    ) {
        self.relay = relay
        self.isRecording = isRecording
        self.file = file
        self.recordedBytes = recordedBytes
        self.droppedBytes = droppedBytes
        self.since = since
    }
}

/// Why a recording was not started or stopped.
public struct RecordingRefusal: Error, Hashable, Sendable {
    /// A sentence that says what is in the way and what to do.
    public var message: String

    /// A refusal.
    public init(_ message: String) {
        self.message = message
    }
}
