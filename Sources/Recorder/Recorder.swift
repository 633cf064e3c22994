package import Configuration
internal import EventLoop
package import Logging
internal import Recording
package import Sockets
internal import Synchronization

/// A recording in progress: a bounded ring that workers fill, and a thread of its own that makes pcapng of it and
/// writes that somewhere.
///
/// Its maker ends it with `finish`. Any thread may use it; no call waits for the disk.
package final class Recorder: Sendable {
    /// Which connections it records.
    package struct Selection: Hashable, Sendable {
        /// A live recording: of the relay that has this name; nil: of all. Which relay goes into files is in `WorkerTaps`.
        package var relay: String?
        /// Only this one; nil: all.
        package var connection: UInt64?
        /// Of clients in one of these networks; empty: of all.
        package var clients: [Network] = []
        /// The part of the connections that it records, in millionths.
        package var perMillion: UInt64 = 1_000_000

        package init(
            relay: String? = nil, connection: UInt64? = nil, clients: [Network] = [], perMillion: UInt64 = 1_000_000
        ) {
            self.relay = relay
            self.connection = connection
            self.clients = clients
            self.perMillion = perMillion
        }

        package func includes(relay name: String) -> Bool { relay == nil || relay == name }

        /// Whether it takes a connection of a relay that it includes.
        package func takes(_ id: UInt64, from client: SocketAddress) -> Bool {
            if let connection { return connection == id }
            if !clients.isEmpty && !clients.contains(where: { $0.contains(client) }) { return false }
            return perMillion >= 1_000_000 || Self.scatter(id) % 1_000_000 < perMillion
        }

        /// Numbers in sequence, as far apart as chance would have them (the finisher of MurmurHash3).
        private static func scatter(_ id: UInt64) -> UInt64 {
            var bits = id
            bits = (bits ^ (bits >> 33)) &* 0xff51_afd7_ed55_8ccd
            bits = (bits ^ (bits >> 33)) &* 0xc4ce_b9fe_1a85_ec53
            return bits ^ (bits >> 33)
        }
    }

    /// What to record, and how. The sink is not part of it.
    package struct Plan: Sendable {
        package var name: String
        package var selection = Selection()
        /// Bytes of memory between the workers and the sink.
        package var buffer: Int
        package var whenFull = RecordSettings.WhenFull.drop
        /// How many bytes of each flow are recorded; nil: all.
        package var maxBytes: UInt64?
        /// Whether end records say what was recorded, and so wait for it.
        package var hasRecords: Bool
        package var application: String

        package init(
            name: String, selection: Selection = Selection(), buffer: Int, whenFull: RecordSettings.WhenFull = .drop,
            maxBytes: UInt64? = nil, hasRecords: Bool, application: String
        ) {
            self.name = name
            self.selection = selection
            self.buffer = buffer
            self.whenFull = whenFull
            self.maxBytes = maxBytes
            self.hasRecords = hasRecords
            self.application = application
        }
    }

    /// Whom a recorder tells, on its own thread.
    package struct Hooks: Sendable {
        /// There is room again in a ring that was full.
        package var hasRoom: @Sendable () -> Void
        /// The last bytes that the ring took of a connection are written or lost: see its account.
        package var finished: @Sendable (UInt64, TapAccount) -> Void
        /// The counters of a relay's recordings.
        package var counters: @Sendable (String) -> RecordingCounters
        /// The recording of this progress has lost its reader.
        package var gone: @Sendable (RecorderProgress) -> Void

        package init(
            hasRoom: @escaping @Sendable () -> Void, finished: @escaping @Sendable (UInt64, TapAccount) -> Void,
            counters: @escaping @Sendable (String) -> RecordingCounters,
            gone: @escaping @Sendable (RecorderProgress) -> Void
        ) {
            self.hasRoom = hasRoom
            self.finished = finished
            self.counters = counters
            self.gone = gone
        }
    }

    /// How much of the ring an event with a note takes at least, so that notes are bounded like bytes.
    static let roomOfNote = 512

    // MARK: Fixed at birth

    package let plan: Plan
    let ring: TapRing
    private let hooks: Hooks
    private let mailbox: Mailbox<RecorderCommand>
    private let thread: LoopThread

    // MARK: Any thread

    private let taps = Atomic<Int>(0)
    private let everAttached = Atomic<Bool>(false)
    package let progress: RecorderProgress

    /// Takes the memory and starts the thread: nothing else can fail here, for what the sink was made of must be good.
    package init(_ plan: Plan, sink: RecordingSink, hooks: Hooks, logger: Logger) throws {
        self.plan = plan
        self.hooks = hooks
        let ring = try TapRing(capacity: plan.buffer)
        let progress = RecorderProgress()
        self.ring = ring
        self.progress = progress
        (thread, mailbox) = try LoopThread.start(name: "record-\(plan.name)") { loop in
            let writer = try RecorderWriter(
                loop: loop, plan: plan, ring: ring, sink: sink, progress: progress, hooks: hooks, logger: logger)
            return try writer.open()
        }
    }

    package var isBlocking: Bool { plan.whenFull == .block }
    package var maxBytes: UInt64? { plan.maxBytes }
    package var hasRecords: Bool { plan.hasRecords }

    // MARK: Workers' threads

    /// Wakes the thread: there is something in the ring.
    func wake() {
        mailbox.post(.work)
    }

    /// A connection is recorded from now on, and is no longer.
    func attached() {
        taps.add(1, ordering: .relaxed)
        if !wasAttached { everAttached.store(true, ordering: .releasing) }
    }

    /// Whether any connection was recorded so far.
    package var wasAttached: Bool { everAttached.load(ordering: .acquiring) }

    func detached() {
        if taps.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 && progress.isRetired { wake() }
    }

    /// A connection has ended that never found room: the thread has nothing to do for it.
    func endedUnknown(_ id: UInt64, _ account: TapAccount) {
        if hasRecords { hooks.finished(id, account) }
    }

    /// Promised room was given back, and a worker waits for it.
    package func hasRoom() {
        hooks.hasRoom()
    }

    /// Bytes of a relay's connection found no room.
    func missed(_ count: Int, of relay: String) {
        guard hasRecords else { return }
        progress.missed(UInt64(count))
        hooks.counters(relay).addDropped(UInt64(count))
    }

    // MARK: The end

    /// No further connection begins to be recorded; when the last recorded connection has ended, it finishes by itself: under
    /// `block` not before all is written, however long that takes.
    package func retire(then done: @escaping @Sendable () -> Void) {
        progress.retire()
        finish(whenIdle: { [self] in taps.load(ordering: .acquiring) == 0 }, isForced: false, then: done)
    }

    /// Writes what is in the ring, closes the recording and ends the thread; what cannot be written now is lost. `done`
    /// is called on that thread.
    package func finish(then done: @escaping @Sendable () -> Void) {
        finish(whenIdle: { true }, isForced: true, then: done)
    }

    private func finish(
        whenIdle: @escaping @Sendable () -> Bool, isForced: Bool, then done: @escaping @Sendable () -> Void
    ) {
        if !mailbox.post(.finish(whenIdle: whenIdle, isForced: isForced, done)) { done() }
    }

    /// Waits until the thread has ended, after `finish` or `retire` was done.
    package func join() {
        thread.join()
    }
}

/// What a recorder's thread is told.
enum RecorderCommand: Sendable {
    /// There is something in the ring.
    case work
    /// Finish as soon as this says so; unless it is forced to, a recording that must be whole first waits until it is.
    case finish(whenIdle: @Sendable () -> Bool, isForced: Bool, @Sendable () -> Void)
}

/// How far a recorder has come, for any thread to see.
package final class RecorderProgress: Sendable {
    /// What is seen.
    package struct View: Sendable {
        /// The file that is written now.
        package var file: String?
        package var recorded: UInt64 = 0
        package var dropped: UInt64 = 0
        /// Why nothing is written at the moment.
        package var trouble: String?
        fileprivate var isRetired = false
        /// Bytes that found no room in the ring since the recorder last asked.
        fileprivate var missed: UInt64 = 0
    }

    private let view = Mutex(View())

    package var now: View { view.withLock { $0 } }
    package var isRetired: Bool { view.withLock { $0.isRetired } }

    package func retire() {
        view.withLock { $0.isRetired = true }
    }

    func missed(_ count: UInt64) {
        view.withLock { view in
            view.dropped &+= count
            view.missed &+= count
        }
    }

    /// Bytes that found no room since the last call.
    func takeMissed() -> UInt64 {
        view.withLock { view in
            let missed = view.missed
            view.missed = 0
            return missed
        }
    }

    func update(_ change: (inout View) -> Void) {
        view.withLock { change(&$0) }
    }
}
