internal import Configuration
internal import EventLoop
internal import Recorder
internal import Recording
internal import Sockets
internal import Synchronization
internal import Text

/// A configuration's changes to recordings, in two steps.
extension RecorderRegistry {
    /// The recorders that a configuration adds; none is in use yet.
    struct Change: Sendable {
        fileprivate var entries: [String: Entry] = [:]
        fileprivate var made: [Recorder] = []
        /// Renamed relays that keep their settings, by their new name.
        fileprivate var renamed: [String: Renamed] = [:]
        /// The recorder of each relay once the change is in force, by its new name.
        fileprivate var choices: [String: RecorderChoice] = [:]

        fileprivate struct Renamed: Sendable {
            let previousName: String
            /// The relay's recorder when the change was prepared.
            let recorder: Recorder?
        }

        /// No change.
        init() {}
    }

    /// Prepares the recordings of a configuration; nothing has changed if it throws or the change is abandoned.
    /// `previousNames` has the existing relays, and the name of each in the configuration in force. `stopped`: the
    /// settings of recordings that do not start, by relay.
    func prepare(
        _ relays: [RelaySettings], previousNames: [String: String], stopped: [String: RecordSettings] = [:]
    ) throws(SystemError) -> Change {
        let now = state.withLock { $0.entries }
        var change = Change()
        do throws(SystemError) {
            for relay in relays {
                try prepare(relay, previousNames[relay.name], stopped[relay.name], now, &change)
            }
        } catch {
            abandon(change)
            throw error
        }
        return change
    }

    private func prepare(
        _ relay: RelaySettings, _ previousName: String?, _ stopped: RecordSettings?, _ now: [String: Entry],
        _ change: inout Change
    ) throws(SystemError) {
        var settings = stopped == relay.record ? nil : relay.record
        if let previousName, let known = now[previousName], known.configured == relay.record {
            if previousName == relay.name {
                change.choices[relay.name] = .asItIs
                return
            }
            // A renamed relay keeps its recording settings, with files of its new name. What the API started or stopped
            // stays so.
            settings = known.recorder == nil ? nil : known.settings
            change.renamed[relay.name] = .init(previousName: previousName, recorder: known.recorder)
        }
        change.choices[relay.name] = .nothing
        var entry = Entry(configured: relay.record, settings: settings, since: WallClock.now)
        if let settings {
            let made = try makeRecorder(of: relay.name, settings)
            change.made.append(made)
            change.choices[relay.name] = .recorder(made)
            entry.recorder = made
        }
        change.entries[relay.name] = entry
    }

    /// Ends the recorders of the change, and removes their files.
    func abandon(_ change: Change) {
        for made in change.made { discard(made) }
    }

    /// Puts a change in force, and gives the workers the plan that includes it, in one step: a recording started or
    /// stopped concurrently comes before or after it. Recorders that are no longer wanted finish when their connections
    /// do. `identities` are those of the configuration's relays, by name. Returns the plan, and how many workers got
    /// it.
    func commit(
        _ change: Change, _ identities: [String: RelayIdentity],
        _ makePlan: ([RelayIdentity: RecorderChoice]) -> WorkerPlan
    ) -> (plan: WorkerPlan, notified: Int) {
        let (plan, notified, gone, unwanted) = state.withLock { state in
            var entries = change.entries
            var byName = change.choices
            var unwanted: [Recorder] = []
            for (relay, choice) in change.choices {
                if case .asItIs = choice { entries[relay] = state.entries[relay] }
            }
            for (relay, renamed) in change.renamed {
                // The API stopped or started its recording after `prepare`: that stays so.
                guard let known = state.entries[renamed.previousName], known.recorder !== renamed.recorder else {
                    continue
                }
                if let made = entries[relay]?.recorder { unwanted.append(made) }
                entries[relay] = known
                byName[relay] = .asItIs
            }
            var choices: [RelayIdentity: RecorderChoice] = [:]
            for (relay, identity) in identities {
                entries[relay]?.identity = identity
                choices[identity] = byName[relay]
            }
            let old = state.entries.values.compactMap(\.recorder)
            state.entries = entries
            let kept = entries.values.compactMap(\.recorder)
            let gone = old.filter { recorder in !kept.contains { $0 === recorder } }
            for index in state.running.indices where state.running[index].relay == nil {
                let recorder = state.running[index].recorder
                state.running[index].relay = entries.values.first { $0.recorder === recorder }?.identity
            }
            let plan = makePlan(choices)
            return (plan, state.post?(.apply(plan)) ?? 0, gone, unwanted)
        }
        if !gone.isEmpty {
            // After the plan, so that no worker gives a connection to a recorder that has finished.
            askAll({ .pass($0) }) { [self] in for recorder in gone { retire(recorder) } }
        }
        for recorder in unwanted { discard(recorder) }
        return (plan, notified)
    }
}

/// Recordings that start and stop while the service runs.
extension RecorderRegistry {
    /// The recorder of all relays; nil if there is none.
    var common: Recorder? { state.withLock { $0.common } }

    /// The settings of the recorders that the configuration in force does not start, by relay.
    var startedAtRunTime: [String: RecordSettings] {
        state.withLock { state in
            state.entries.compactMapValues { entry in
                guard entry.recorder != nil, entry.settings != entry.configured else { return nil }
                return entry.settings
            }
        }
    }

    /// The configured settings of the recordings that were stopped at run time, or replaced by one with other settings,
    /// by relay.
    var stoppedAtRunTime: [String: RecordSettings] {
        state.withLock { state in
            guard state.common == nil else { return [:] }
            return state.entries.compactMapValues { entry in
                entry.recorder == nil || entry.settings != entry.configured ? entry.configured : nil
            }
        }
    }

    func entry(_ relay: String) -> Entry? {
        state.withLock { $0.entries[relay] }
    }

    /// Starts recording a relay, including its open connections of every generation. If the relay is recorded already,
    /// nothing changes.
    func start(_ recorder: Recorder, _ settings: RecordSettings, of relay: String) {
        let isNew = state.withLock { state in
            guard var entry = state.entries[relay], let identity = entry.identity, entry.recorder == nil else {
                return false
            }
            entry.recorder = recorder
            entry.settings = settings
            entry.since = WallClock.now
            state.entries[relay] = entry
            for index in state.running.indices where state.running[index].recorder === recorder {
                state.running[index].relay = identity
            }
            _ = state.post?(.record(identity, recorder))
            return true
        }
        if !isNew { discard(recorder) }
    }

    /// Starts a live recording. If it is of one connection that has ended meanwhile, it ends at once.
    func attach(_ recorder: Recorder) {
        askAll({ .attach(recorder, $0) }) { [self] in
            if recorder.plan.selection.connection != nil && !recorder.wasAttached { stop(recorder) }
        }
    }

    /// Stops recording a relay in every generation, including connections that an earlier configuration began to
    /// record. `done` is called on another thread when every file is closed. False if the relay is not recorded.
    func stop(_ relay: String, then done: @escaping @Sendable () -> Void) -> Bool {
        let absent = state.withLock { state -> [Absent] in
            guard let identity = state.entries[relay]?.identity else { return [] }
            let recorders = state.running.filter { $0.relay == identity }.map(\.recorder)
            if let recorder = state.entries[relay]?.recorder { state.entries[relay]?.last = recorder.progress }
            state.entries[relay]?.recorder = nil
            let last = Latch(recorders.count, action: done)
            return recorders.map { recorder in detach(recorder, &state) { last.down() } }
        }
        for one in absent { one.down() }
        return !absent.isEmpty
    }

    /// Detaches a recorder from every worker, and ends it.
    func stop(_ recorder: Recorder) {
        let absent = state.withLock { state -> Absent? in
            if state.common === recorder { state.common = nil }
            guard state.running.contains(where: { $0.recorder === recorder }), !recorder.progress.isRetired else {
                return nil
            }
            return detach(recorder, &state) {}
        }
        absent?.down()
    }

    /// Called with the state locked, so that no worker gets the recorder afterwards. The caller counts down for the
    /// workers that have ended, after unlocking.
    private func detach(_ recorder: Recorder, _ state: inout State, then done: @escaping @Sendable () -> Void) -> Absent
    {
        recorder.progress.retire()
        let last = Latch(state.workers + 1) { [self] in retire(recorder, then: done) }
        let notified = state.post?(.detach(recorder, last)) ?? 0
        return Absent(count: state.workers + 1 - notified, last: last)
    }

    /// Posts a command to every worker, and calls `then` when all workers that got it have run it.
    private func askAll(_ command: (Latch) -> WorkerCommand, then done: @escaping @Sendable () -> Void) {
        let (workers, post) = state.withLock { ($0.workers, $0.post) }
        let last = Latch(workers + 1, action: done)
        let notified = post?(command(last)) ?? 0
        Absent(count: workers + 1 - notified, last: last).down()
    }

    func retire(_ recorder: Recorder, then done: @escaping @Sendable () -> Void = {}) {
        recorder.retire { [self] in
            ended(recorder)
            done()
        }
    }

    /// A recorder's thread is about to end, and is joined later. Called once for each time that the recorder was
    /// retired or finished.
    func ended(_ recorder: Recorder) {
        let budget = state.withLock { state -> Budget? in
            guard let position = state.running.firstIndex(where: { $0.recorder === recorder }) else { return nil }
            state.done.append(state.running.remove(at: position).recorder)
            return state.budget
        }
        budget?.give(Self.descriptors)
    }

    @discardableResult
    func post(_ command: WorkerCommand) -> Int {
        let post = state.withLock { $0.post }
        return post?(command) ?? 0
    }

    func reap() {
        let done = state.withLock { state in
            let done = state.done
            state.done = []
            return done
        }
        for recorder in done { recorder.join() }
    }
}
