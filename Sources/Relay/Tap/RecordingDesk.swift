internal import Configuration
internal import EventLoop
internal import Glibc
internal import Logging
internal import Recording
internal import Sockets
internal import Synchronization

/// All recorders of a service: starts them, hands them to the workers, and ends them. Any thread; no call waits for a
/// disk but those that make files.
final class RecordingDesk: Sendable {
    /// What is recorded of one relay, and by what.
    struct Entry: Sendable {
        /// As the configuration in force says.
        var configured: RecordSettings?
        /// What records now, and with which settings; nil while recording is stopped.
        var recorder: Recorder?
        var settings: RecordSettings?
        /// Nanoseconds since 1970 UTC.
        var since: Int64 = 0
    }

    private struct State: Sendable {
        var budget: Budget?
        var entries: [String: Entry] = [:]
        /// What records every relay, for `forward --record`.
        var common: Recorder?
        var running: [Recorder] = []
        /// Done, and to be joined by the next who comes.
        var done: [Recorder] = []
        var counters: [String: RecordingCounters] = [:]
        var post: (@Sendable (WorkerCommand) -> Int)?
        var workers = 0
    }

    /// How many live recordings there may be at once: each has a thread and some MiB of memory.
    private static let mostLive = 16
    /// What a recorder has open: its loop's five, the file and its folder. One more for the reader of a live recording.
    private static let descriptors = 8
    /// Memory between the workers and the reader of a live recording.
    private static let liveBuffer = 4 << 20

    let untold: UntoldRecords
    private let logger: Logger
    private let application: String
    private let state = Mutex(State())

    init(application: String, logger: Logger, tell: @escaping @Sendable (ConnectionRecord) -> Void) {
        self.application = application
        self.logger = logger
        untold = UntoldRecords(tell: tell)
    }

    /// The workers are there: from now on they can be told. From now on, too, recorders take their descriptors from the
    /// budget; what those before took was counted when it was made.
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

    /// What every relay's recordings came to.
    var totals: [String: (recorded: UInt64, dropped: UInt64)] {
        state.withLock { $0.counters.mapValues { ($0.recorded, $0.dropped) } }
    }

    // MARK: Making recorders

    private func make(_ plan: Recorder.Plan, _ sink: RecordingSink) throws(SystemError) -> Recorder {
        reap()
        let budget = state.withLock { $0.budget }
        if budget?.takeIfThere(Self.descriptors) == false {
            throw SystemError(
                "start a recorder", Errno(EMFILE), advice: "raise the limit of open files, or record fewer relays")
        }
        let hooks = Recorder.Hooks(
            hasRoom: { [self] in post(.tapHasRoom) },
            told: { [untold] in untold.told($0, $1) },
            counters: { [self] in counters(of: $0) },
            gone: { [self] progress in
                let recorder = state.withLock { $0.running.first { $0.progress === progress } }
                if let recorder { stop(recorder) }
            })
        do {
            let recorder = try Recorder(plan, sink: sink, hooks: hooks, logger: logger)
            state.withLock { $0.running.append(recorder) }
            return recorder
        } catch {
            budget?.give(Self.descriptors)
            if case .files(var files, _, _) = sink { files.discard() }
            if let noMemory = error as? Errno {
                throw SystemError(
                    "take \(plan.buffer) bytes of memory for a recording", noMemory,
                    advice: "set a smaller record.buffer, or let the program have more (`ulimit -v`)")
            }
            throw SystemError("start a recorder", (error as? UVError)?.errno ?? Errno(EAGAIN))
        }
    }

    /// A recorder of one relay's files.
    func makeRecorder(of relay: String, _ settings: RecordSettings) throws(SystemError) -> Recorder {
        let directory = try Directory(path: settings.directory)
        var files = RecordingFiles(directory: directory, relay: relay, keep: settings.rotate.keep)
        let file = try files.begin(at: WallClock.now)
        let rotation = FileRotation(size: settings.rotate.size, age: settings.rotate.every.wholeNanoseconds)
        let plan = Recorder.Plan(
            name: relay,
            selection: .init(
                relay: relay, clients: settings.clients, perMillion: UInt64(settings.perMillion)),
            buffer: settings.buffer, whenFull: settings.whenFull, maxBytes: settings.maxBytes.map { UInt64($0) },
            hasRecords: true, application: application)
        return try make(plan, .files(files, file, rotation))
    }

    /// Records every relay from the start on into one place.
    func recordAll(to target: RecordingTarget) throws(SystemError) {
        let (sink, name): (RecordingSink, String)
        switch target {
        case .standardOutput: (sink, name) = (.output(.standardOutput), "-")
        case .file(let path):
            let cut = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
            let directory = try Directory(path: cut == path.startIndex ? "." : String(path[..<cut]))
            do {
                sink = .file(try directory.create(String(path[cut...])))
            } catch {
                let advice = error == .exists ? "name another, or a folder as DIR/ and names are made" : nil
                throw SystemError("make the recording \(path)", error, advice: advice)
            }
            name = String(path[cut...])
        }
        let plan = Recorder.Plan(
            name: name, buffer: RecordSettings.bufferForPeople, hasRecords: true, application: application)
        let recorder = try make(plan, sink)
        state.withLock { $0.common = recorder }
    }

    /// A live recording. Nil when there are too many already.
    func makeLive(
        relay: String?, connection: UInt64?
    ) throws(SystemError) -> (recorder: Recorder, tap: LiveTap)? {
        let count = state.withLock { $0.running.count { !$0.hasRecords } }
        guard count < Self.mostLive else { return nil }
        let (stream, continuation) = AsyncStream.makeStream(of: [UInt8].self)
        let queue = LiveQueue(continuation)
        let plan = Recorder.Plan(
            name: "live", selection: .init(relay: relay, connection: connection), buffer: Self.liveBuffer,
            hasRecords: false, application: application)
        let recorder = try make(plan, .live(queue))
        continuation.onTermination = { [self] _ in stop(recorder) }
        return (recorder, LiveTap(queue: queue, stream: stream))
    }

    // MARK: By configuration

    /// Recorders that a configuration needs and that are not there yet, made and not used yet.
    struct Change: Sendable {
        fileprivate var entries: [String: Entry] = [:]
        fileprivate var made: [Recorder] = []
        /// What records each relay from then on.
        fileprivate(set) var choices: [String: RecorderChoice] = [:]
    }

    /// Makes ready what a configuration needs: nothing has changed when it throws, or when the change is abandoned.
    func prepare(_ relays: [RelaySettings]) throws(SystemError) -> Change {
        let now = state.withLock { $0.entries }
        var change = Change()
        for relay in relays {
            if let known = now[relay.name], known.configured == relay.record {
                change.choices[relay.name] = .asItIs
                continue
            }
            change.choices[relay.name] = .nothing
            var entry = Entry(configured: relay.record, settings: relay.record, since: WallClock.now)
            if let settings = relay.record {
                do {
                    let recorder = try makeRecorder(of: relay.name, settings)
                    change.made.append(recorder)
                    change.choices[relay.name] = .recorder(recorder)
                    entry.recorder = recorder
                } catch {
                    abandon(change)
                    throw error
                }
            }
            change.entries[relay.name] = entry
        }
        return change
    }

    func abandon(_ change: Change) {
        for recorder in change.made { retire(recorder) }
    }

    /// Puts a change in force, and tells the workers of the plan that it is part of, in one step: whoever starts or stops
    /// a recording meanwhile comes before or after it. Recorders that are not wanted any more finish when their
    /// connections do. Returns how many workers heard it.
    func commit(_ change: Change, _ plan: WorkerPlan) -> Int {
        let (told, gone) = state.withLock { state in
            var entries = change.entries
            for (relay, choice) in change.choices {
                if case .asItIs = choice { entries[relay] = state.entries[relay] }
            }
            let old = state.entries.values.compactMap(\.recorder)
            state.entries = entries
            let kept = entries.values.compactMap(\.recorder)
            let gone = old.filter { recorder in !kept.contains { $0 === recorder } }
            return (state.post?(.apply(plan)) ?? 0, gone)
        }
        if !gone.isEmpty {
            // Behind the plan, so that no worker gives a connection to one that has finished.
            askAll({ .pass($0) }) { [self] in for recorder in gone { retire(recorder) } }
        }
        return told
    }

    /// What records every relay; nil: nothing does.
    var common: Recorder? { state.withLock { $0.common } }

    // MARK: While it runs

    func entry(_ relay: String) -> Entry? {
        state.withLock { $0.entries[relay] }
    }

    var entries: [String: Entry] { state.withLock { $0.entries } }

    /// Records a relay from now on, what is open too. False when it is recorded already: then nothing has changed.
    func start(_ recorder: Recorder, _ settings: RecordSettings, of relay: String) -> Bool {
        let isNew = state.withLock { state in
            guard var entry = state.entries[relay], entry.recorder == nil else { return false }
            entry.recorder = recorder
            entry.settings = settings
            entry.since = WallClock.now
            state.entries[relay] = entry
            _ = state.post?(.record(relay, recorder))
            return true
        }
        if !isNew { retire(recorder) }
        return isNew
    }

    /// Lets a live recording begin. One of a connection that has ended meanwhile is over with that.
    func attach(_ recorder: Recorder) {
        askAll({ .attach(recorder, $0) }) { [self] in
            if recorder.plan.selection.connection != nil && !recorder.wasAttached { stop(recorder) }
        }
    }

    /// Stops recording a relay; what is open goes on unrecorded. `done` hears, on another thread, that the file is
    /// closed. False when it is not recorded.
    func stop(_ relay: String, then done: @escaping @Sendable () -> Void) -> Bool {
        let absent = state.withLock { state -> Absent? in
            guard let recorder = state.entries[relay]?.recorder else { return nil }
            state.entries[relay]?.recorder = nil
            return detach(recorder, &state, then: done)
        }
        absent?.down()
        return absent != nil
    }

    /// Takes a recorder from every worker, and ends it.
    private func stop(_ recorder: Recorder) {
        let absent = state.withLock { state -> Absent? in
            if state.common === recorder { state.common = nil }
            guard state.running.contains(where: { $0 === recorder }), !recorder.progress.isRetired else { return nil }
            return detach(recorder, &state) {}
        }
        absent?.down()
    }

    /// With the state locked, so that no worker is given it afterwards; whoever calls answers for those that did not
    /// hear it, once the lock is free.
    private func detach(_ recorder: Recorder, _ state: inout State, then done: @escaping @Sendable () -> Void) -> Absent
    {
        recorder.progress.retire()
        let last = LastOf(state.workers + 1) { [self] in retire(recorder, then: done) }
        let told = state.post?(.detach(recorder, last)) ?? 0
        return Absent(count: state.workers + 1 - told, last: last)
    }

    /// Tells every worker, and calls when all that heard it have done it.
    private func askAll(_ command: (LastOf) -> WorkerCommand, then done: @escaping @Sendable () -> Void) {
        let (workers, post) = state.withLock { ($0.workers, $0.post) }
        let last = LastOf(workers + 1, action: done)
        let told = post?(command(last)) ?? 0
        Absent(count: workers + 1 - told, last: last).down()
    }

    private func retire(_ recorder: Recorder, then done: @escaping @Sendable () -> Void = {}) {
        recorder.retire { [self] in
            ended(recorder)
            done()
        }
    }

    /// A recorder's thread is about to end: whoever comes next joins it. Both who retired it and who ends everything
    /// may hear of it.
    private func ended(_ recorder: Recorder) {
        let budget = state.withLock { state -> Budget? in
            guard let position = state.running.firstIndex(where: { $0 === recorder }) else { return nil }
            state.done.append(state.running.remove(at: position))
            return state.budget
        }
        budget?.give(Self.descriptors)
    }

    @discardableResult
    private func post(_ command: WorkerCommand) -> Int {
        let post = state.withLock { $0.post }
        return post?(command) ?? 0
    }

    private func reap() {
        let done = state.withLock { state in
            let done = state.done
            state.done = []
            return done
        }
        for recorder in done { recorder.join() }
    }

    // MARK: The end

    /// Ends every recorder, after the workers have. A disk that hangs is waited for so long, in milliseconds; then its
    /// recorder is left to the end of the process, and every record is told.
    func finish(within patience: UInt64) {
        let running = state.withLock { $0.running }
        let finished = Countdown(running.count)
        for recorder in running {
            recorder.finish { [self] in
                ended(recorder)
                finished.down()
            }
        }
        if !finished.wait(atMost: patience) {
            let names = state.withLock { $0.running.map(\.plan.name) }.joined(separator: ", ")
            logger.error("a recording is given up, its file takes nothing", metadata: ["recording": "\(names)"])
        }
        reap()
        untold.tellAll()
        // They keep whoever keeps this.
        state.withLock { state in
            state.post = nil
            state.entries = [:]
            state.common = nil
        }
    }
}

extension Duration {
    /// Rounded down, at least 0.
    var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return max(0, seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
