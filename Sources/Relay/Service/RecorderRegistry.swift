internal import Configuration
internal import EventLoop
internal import Glibc
internal import Logging
internal import Recorder
internal import Recording
internal import Sockets
internal import Synchronization
internal import Text

/// All recorders of a service: starts them, gives them to the workers, and ends them. Any thread; only calls that
/// create files wait for a disk.
final class RecorderRegistry: Sendable {
    /// One relay's recording, and its recorder.
    struct Entry: Sendable {
        /// The relay; nil until a configuration with the relay is in force.
        var identity: RelayIdentity?
        /// The settings in the configuration in force.
        var configured: RecordSettings?
        /// The current recorder and its settings; nil while recording is stopped.
        var recorder: Recorder?
        var settings: RecordSettings?
        /// Nanoseconds since 1970 UTC.
        var since: Int64 = 0
        /// The progress of the recorder that was stopped last.
        var last: RecorderProgress?
    }

    /// A recorder whose thread runs.
    struct Running: Sendable {
        let recorder: Recorder
        /// The relay that it records; it stays set after a reload gives the relay another recorder, while earlier
        /// connections are still recorded. Nil for a recorder of all relays, for a live one, and before it is in use.
        var relay: RelayIdentity?
        /// Removes the file created for it.
        let removeFile: @Sendable () -> Void
    }

    struct State: Sendable {
        var budget: Budget?
        var entries: [String: Entry] = [:]
        /// The recorder of all relays, for `forward --record`.
        var common: Recorder?
        var running: [Running] = []
        /// Finished recorders; the next call that makes a recorder joins their threads.
        var done: [Recorder] = []
        var counters: [String: RecordingCounters] = [:]
        var post: (@Sendable (WorkerCommand) -> Int)?
        var workers = 0
    }

    /// The most live recordings at once: each has a thread and some MiB of memory.
    private static let mostLive = 16
    /// A recorder's open descriptors: five of its loop, the file and its folder. One more for the reader of a live
    /// recording.
    static let descriptors = 8
    /// Memory between the workers and the reader of a live recording.
    private static let liveBuffer = 4 << 20

    let pending: PendingRecords
    private let logger: Logger
    private let application: String
    let state = Mutex(State())

    init(application: String, logger: Logger, report: @escaping @Sendable (ConnectionRecord) -> Void) {
        self.application = application
        self.logger = logger
        pending = PendingRecords(report: report)
    }

    /// The workers exist: commands are posted to them from now on. Recorders made from now on take their descriptors
    /// from the budget; those of earlier ones were counted when the budget was made.
    func set(workers: Int, budget: Budget, post: @escaping @Sendable (WorkerCommand) -> Int) {
        state.withLock { state in
            state.budget = budget
            state.workers = workers
            state.post = post
        }
    }

    /// The counters of a relay's recordings; they outlive recorders and configurations.
    func counters(of relay: String) -> RecordingCounters {
        state.withLock { state in
            if let known = state.counters[relay] { return known }
            let new = RecordingCounters()
            state.counters[relay] = new
            return new
        }
    }

    /// The bytes recorded and dropped, by relay.
    var totals: [String: (recorded: UInt64, dropped: UInt64)] {
        state.withLock { $0.counters.mapValues { ($0.recorded, $0.dropped) } }
    }

    // MARK: Making recorders

    /// `removeFile` removes the sink's file; it is called if no recorder can be made.
    private func make(
        _ plan: Recorder.Plan, _ sink: RecordingSink, removeFile: @escaping @Sendable () -> Void = {}
    ) throws(SystemError) -> Recorder {
        do {
            return try start(plan, sink, removeFile)
        } catch {
            removeFile()
            throw error
        }
    }

    private func start(
        _ plan: Recorder.Plan, _ sink: RecordingSink, _ removeFile: @escaping @Sendable () -> Void
    ) throws(SystemError) -> Recorder {
        reap()
        let budget = state.withLock { $0.budget }
        if budget?.takeIfAvailable(Self.descriptors) == false {
            throw SystemError(
                "start a recorder", Errno(EMFILE), advice: "raise the limit on open files, or record fewer relays")
        }
        let hooks = Recorder.Hooks(
            hasRoom: { [self] in post(.tapHasRoom) },
            finished: { [pending] in pending.recorderFinished($0, $1) },
            counters: { [self] in counters(of: $0) },
            gone: { [self] progress in
                let one = state.withLock { $0.running.first { $0.recorder.progress === progress } }
                if let one { stop(one.recorder) }
            })
        do {
            let recorder = try Recorder(plan, sink: sink, hooks: hooks, logger: logger)
            state.withLock { $0.running.append(Running(recorder: recorder, removeFile: removeFile)) }
            return recorder
        } catch {
            budget?.give(Self.descriptors)
            if let noMemory = error as? Errno {
                throw SystemError(
                    "allocate \(plan.buffer) bytes for a recording", noMemory,
                    advice: "set a smaller record.buffer, or raise the memory limit (`ulimit -v`)")
            }
            throw SystemError("start a recorder", (error as? UVError)?.errno ?? Errno(EAGAIN))
        }
    }

    /// A recorder of one relay's files.
    func makeRecorder(of relay: String, _ settings: RecordSettings) throws(SystemError) -> Recorder {
        let directory = try Directory(path: settings.directory)
        var files = RecordingFiles(directory: directory, relay: relay, keep: settings.rotate.keep)
        let file = try files.begin(at: WallClock.now)
        let rotation = FileRotation(size: settings.rotate.size, age: settings.rotate.every.nanoseconds)
        let plan = Recorder.Plan(
            name: relay,
            selection: .init(clients: settings.clients, perMillion: UInt64(settings.perMillion)),
            buffer: settings.buffer, whenFull: settings.whenFull, maxBytes: settings.maxBytes.map { UInt64($0) },
            includesEncrypted: settings.includesEncrypted, hasRecords: true, application: application)
        let begun = files
        return try make(plan, .files(files, file, rotation)) {
            var files = begun
            files.discard()
        }
    }

    /// Ends a recorder that was never used, and removes its file.
    func discard(_ recorder: Recorder) {
        let removeFile = state.withLock { state in
            state.running.first { $0.recorder === recorder }?.removeFile
        }
        retire(recorder) { removeFile?() }
    }

    /// Removes the files that contain no connection, because the start failed. `finish` follows.
    func discardUnused() {
        for one in state.withLock({ $0.running }) where !one.recorder.wasAttached { one.removeFile() }
    }

    /// Records all relays into one target, from the start on.
    func recordAll(to target: RecordingTarget, includesEncrypted: Bool) throws(SystemError) {
        let sink: RecordingSink
        var name = "-"
        var removeFile: @Sendable () -> Void = {}
        switch target {
        case .standardOutput: sink = .output(.standardOutput)
        case .file(let path) where OutputFile.descriptor(namedBy: path) != nil:
            sink = .output(try OutputFile(appendingTo: path))
            name = path
        case .file(let path):
            let cut = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
            let directory = try Self.existingFolder(cut == path.startIndex ? "." : String(path[..<cut]), of: path)
            name = String(path[cut...])
            do {
                sink = .file(try directory.create(name))
            } catch {
                let advice =
                    error == .exists
                    ? "recordings are never overwritten: remove it, choose another name, or write --record DIR/ for a "
                        + "new file at each start" : nil
                throw SystemError("create the recording \(path)", error, advice: advice)
            }
            let made = name
            // If another process removed it, the result is the same.
            removeFile = { try? directory.remove(made) }
        }
        let plan = Recorder.Plan(
            name: name, buffer: RecordSettings.bufferForPeople, includesEncrypted: includesEncrypted, hasRecords: true,
            application: application)
        let recorder = try make(plan, sink, removeFile: removeFile)
        state.withLock { $0.common = recorder }
    }

    /// The folder of a recording that is one file. A missing one is probably a typing mistake; only `DIR/` creates one.
    private static func existingFolder(_ folder: String, of path: String) throws(SystemError) -> Directory {
        do {
            return try Directory(path: folder, creating: false)
        } catch {
            let name = folder.count > 1 && folder.hasSuffix("/") ? String(folder.dropLast()) : folder
            throw SystemError(
                "create the recording \(path)", error.errno,
                advice: error.errno == .missing
                    ? "the directory \(name) does not exist; create it first, or correct the path" : nil
            )
        }
    }

    /// A live recording; nil if the limit is reached.
    func makeLive(
        relay: String?, connection: UInt64?, includesEncrypted: Bool
    ) throws(SystemError) -> (recorder: Recorder, tap: LiveTap)? {
        let count = state.withLock { $0.running.count { !$0.recorder.hasRecords } }
        guard count < Self.mostLive else { return nil }
        let (stream, continuation) = AsyncStream.makeStream(of: [UInt8].self)
        let queue = LiveQueue(continuation)
        let plan = Recorder.Plan(
            name: "live", selection: .init(relay: relay, connection: connection), buffer: Self.liveBuffer,
            includesEncrypted: includesEncrypted, hasRecords: false, application: application)
        let recorder = try make(plan, .live(queue))
        continuation.onTermination = { [self] _ in stop(recorder) }
        return (recorder, LiveTap(queue: queue, stream: stream))
    }

    // MARK: The end

    /// Ends every recorder, after the workers have ended. `timeout` bounds the wait for a hanging disk, in
    /// milliseconds; a recorder that exceeds it is left to the end of the process. Every record is reported.
    func finish(within timeout: UInt64) {
        let running = state.withLock { $0.running }
        let finished = Countdown(running.count)
        for recorder in running.map(\.recorder) {
            recorder.finish { [self] in
                ended(recorder)
                finished.down()
            }
        }
        if !finished.wait(atMost: timeout) {
            let names = state.withLock { $0.running.map(\.recorder.plan.name) }.joined(separator: ", ")
            logger.error("recording stopped: its file cannot be written", metadata: ["recording": "\(names)"])
        }
        reap()
        pending.reportAll()
        // Breaks a cycle: these hold the service's state, which holds this registry.
        state.withLock { state in
            state.post = nil
            state.entries = [:]
            state.common = nil
        }
    }
}
