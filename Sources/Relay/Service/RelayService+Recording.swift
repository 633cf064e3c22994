public import Configuration
public import Recorder
internal import Recording
public import Sockets

/// Recordings, while the service runs.
extension RelayService {
    /// The current state of one relay's recording. A copy.
    public struct RecordingState: Hashable, Sendable {
        /// The relay's name.
        public var relay: String
        /// Whether its connections are recorded into files.
        public var isRecording: Bool
        /// The file being written; nil if there is none.
        public var file: String?
        /// Bytes in the recordings of this relay since Tapline started.
        public var recordedBytes: UInt64
        /// Bytes missing from them.
        public var droppedBytes: UInt64
        /// When this recording started, nanoseconds since 1970 UTC; nil if the relay is not recorded.
        public var since: Int64?
        /// Why nothing can be written at the moment, in the system's words; nil if writing works.
        public var trouble: String?
        /// The current recording, or the one that was stopped last; nil if there is none.
        public var latest: Latest?

        /// What one recording has written. `forward --record` has one recording for all relays.
        public struct Latest: Hashable, Sendable {
            /// The last file; nil for an output that is no file.
            public var file: String?
            /// Packets written.
            public var packets: UInt64
            /// Relayed bytes written.
            public var recordedBytes: UInt64
            /// Relayed bytes that are missing.
            public var droppedBytes: UInt64

            /// Values as given.
            public init(file: String?, packets: UInt64, recordedBytes: UInt64, droppedBytes: UInt64) {
                self.file = file
                self.packets = packets
                self.recordedBytes = recordedBytes
                self.droppedBytes = droppedBytes
            }
        }

        /// A state; a relay that was never recorded has the defaults.
        public init(
            relay: String, isRecording: Bool = false, file: String? = nil, recordedBytes: UInt64 = 0,
            droppedBytes: UInt64 = 0, since: Int64? = nil, trouble: String? = nil, latest: Latest? = nil
        ) {
            self.relay = relay
            self.isRecording = isRecording
            self.file = file
            self.recordedBytes = recordedBytes
            self.droppedBytes = droppedBytes
            self.since = since
            self.trouble = trouble
            self.latest = latest
        }
    }

    /// Why a recording cannot be started.
    public enum RecordingRefusal: Error, Hashable, Sendable {
        /// No relay has this name.
        case unknownRelay
        /// Neither the configuration nor the call has settings for recording the relay.
        case noSettings
        /// The limit of live recordings is reached.
        case tooManyLive
        /// An operating-system error.
        case system(SystemError)
    }

    /// The recording of every relay of the configuration in force, by name.
    public var recordings: [String: RecordingState] {
        let registry = state.recordings
        let relays = Set(listeners.map(\.relay))
        return Dictionary(uniqueKeysWithValues: relays.map { ($0, recording(of: $0, registry)) })
    }

    /// The settings of the recordings that were started at run time, by relay: another process that takes over the
    /// configuration does not start them by itself.
    public var recordingsStartedAtRunTime: [String: RecordSettings] {
        state.recordings.startedAtRunTime
    }

    /// The settings of the configured recordings that were stopped at run time, by relay: another process that takes
    /// over the configuration would start them.
    public var recordingsStoppedAtRunTime: [String: RecordSettings] {
        state.recordings.stoppedAtRunTime
    }

    private func recording(of relay: String, _ registry: RecorderRegistry) -> RecordingState {
        let entry = registry.entry(relay)
        let recorder = entry?.recorder ?? registry.common
        let view = recorder?.progress.now
        let counters = registry.counters(of: relay)
        let latest = (recorder?.progress ?? entry?.last)?.now
        return RecordingState(
            relay: relay, isRecording: recorder != nil, file: view?.file, recordedBytes: counters.recorded,
            droppedBytes: counters.dropped, since: entry?.recorder == nil ? nil : entry?.since, trouble: view?.trouble,
            latest: latest.map { latest in
                RecordingState.Latest(
                    file: latest.lastFile, packets: latest.packets, recordedBytes: latest.recorded,
                    droppedBytes: latest.dropped)
            })
    }

    /// Starts recording a relay, including open connections, with these settings or else the configured ones. A relay
    /// that is recorded already is not changed. Creates a file and may wait for the disk, so never call it on a
    /// worker's thread.
    public func startRecording(
        _ relay: String, _ settings: RecordSettings? = nil
    ) throws(RecordingRefusal) -> RecordingState {
        let registry = state.recordings
        guard let entry = registry.entry(relay) else { throw .unknownRelay }
        guard entry.recorder == nil, registry.common == nil else { return recording(of: relay, registry) }
        guard let settings = settings ?? entry.configured else { throw .noSettings }
        do throws(SystemError) {
            registry.start(try registry.makeRecorder(of: relay, settings), settings, of: relay)
        } catch {
            throw .system(error)
        }
        return recording(of: relay, registry)
    }

    /// Stops recording a relay, in every generation; its connections continue. Returns when its files are closed. A
    /// full or hanging disk delays that without bound, so the caller needs a deadline. Nil if no relay has this name.
    public func stopRecording(_ relay: String) async -> RecordingState? {
        let registry = state.recordings
        guard registry.entry(relay) != nil else { return nil }
        await withCheckedContinuation { continuation in
            if !registry.stop(relay, then: { continuation.resume() }) { continuation.resume() }
        }
        return recording(of: relay, registry)
    }

    /// A live recording, as pcapng: of every connection, of one relay's, or of one. Open connections are recorded from
    /// now on. It ends when its reader drops it, or the service stops.
    /// `includesEncrypted`: the encrypted bytes of sessions that begin from now on are included, with their keys.
    public func liveTap(
        relay: String? = nil, connection: UInt64? = nil, includesEncrypted: Bool = false
    ) throws(RecordingRefusal) -> LiveTap {
        let registry = state.recordings
        if let relay, registry.entry(relay) == nil { throw .unknownRelay }
        let live: (recorder: Recorder, tap: LiveTap)?
        do throws(SystemError) {
            live = try registry.makeLive(
                relay: relay, connection: connection, includesEncrypted: includesEncrypted)
        } catch {
            throw .system(error)
        }
        guard let live else { throw .tooManyLive }
        registry.attach(live.recorder)
        return live.tap
    }
}
