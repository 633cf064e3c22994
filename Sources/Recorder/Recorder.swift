package import Configuration
internal import EventLoop
package import Logging
internal import Recording
package import Sockets
internal import Synchronization

/// A recording in progress: a bounded ring that workers fill, and a thread that encodes its contents as pcapng and
/// writes it to a sink.
///
/// Its owner ends it with `finish`. Any thread; no call waits for the disk.
package final class Recorder: Sendable {
    /// The connections to record.
    package struct Selection: Hashable, Sendable {
        /// For a live recording: the relay's name; nil: all. `WorkerTaps` selects the relays recorded to files.
        package var relay: String?
        /// Only the connection with this ID; nil: all.
        package var connection: UInt64?
        /// Only clients in these networks; empty: all.
        package var clients: [Network] = []
        /// The sampled fraction of connections, in millionths.
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

        /// Whether a connection of an included relay is to be recorded.
        package func includes(_ id: UInt64, from client: SocketAddress) -> Bool {
            if let connection { return connection == id }
            if !clients.isEmpty && !clients.contains(where: { $0.contains(client) }) { return false }
            return perMillion >= 1_000_000 || Self.scatter(id) % 1_000_000 < perMillion
        }

        /// Hashes consecutive numbers to uniform ones (the finaliser of MurmurHash3).
        private static func scatter(_ id: UInt64) -> UInt64 {
            var bits = id
            bits = (bits ^ (bits >> 33)) &* 0xff51_afd7_ed55_8ccd
            bits = (bits ^ (bits >> 33)) &* 0xc4ce_b9fe_1a85_ec53
            return bits ^ (bits >> 33)
        }
    }

    /// The parameters of a recording, without the sink.
    package struct Plan: Sendable {
        package var name: String
        package var selection = Selection()
        /// The size of the ring, bytes.
        package var buffer: Int
        package var whenFull = RecordSettings.WhenFull.drop
        /// The limit of recorded bytes per flow; nil: all.
        package var maxBytes: UInt64?
        /// Whether the encrypted bytes of legs with TLS are recorded, and their keys.
        package var includesEncrypted = false
        /// Whether end records contain the recording's counts, and therefore wait for the recorder.
        package var hasRecords: Bool
        package var application: String

        package init(
            name: String, selection: Selection = Selection(), buffer: Int, whenFull: RecordSettings.WhenFull = .drop,
            maxBytes: UInt64? = nil, includesEncrypted: Bool = false, hasRecords: Bool, application: String
        ) {
            self.name = name
            self.selection = selection
            self.buffer = buffer
            self.whenFull = whenFull
            self.maxBytes = maxBytes
            self.includesEncrypted = includesEncrypted
            self.hasRecords = hasRecords
            self.application = application
        }
    }

    /// Callbacks, on the recorder's thread.
    package struct Hooks: Sendable {
        /// A full ring has room again.
        package var hasRoom: @Sendable () -> Void
        /// The last bytes of a connection were written or lost; see its account.
        package var finished: @Sendable (UInt64, TapAccount) -> Void
        /// Returns the counters of a relay's recordings.
        package var counters: @Sendable (String) -> RecordingCounters
        /// The recording with this progress has lost its reader.
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

    /// The least ring space of an event with a note, which bounds the number of notes.
    static let roomOfNote = 512

    // MARK: Fixed at init

    package let plan: Plan
    let ring: TapRing
    private let hooks: Hooks
    private let mailbox: Mailbox<RecorderCommand>
    private let thread: LoopThread

    // MARK: Any thread

    private let taps = Atomic<Int>(0)
    private let everAttached = Atomic<Bool>(false)
    package let progress: RecorderProgress

    /// Allocates the ring and starts the thread. Nothing else can fail, because the sink is already open.
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

    /// Wakes the thread because the ring has events.
    func wake() {
        mailbox.post(.work)
    }

    /// Counts a connection that begins to be recorded.
    func attached() {
        taps.add(1, ordering: .relaxed)
        if !wasAttached { everAttached.store(true, ordering: .releasing) }
    }

    /// Whether any connection was recorded so far.
    package var wasAttached: Bool { everAttached.load(ordering: .acquiring) }

    /// Counts a connection that is no longer recorded.
    func detached() {
        if taps.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 && progress.isRetired { wake() }
    }

    /// A connection ended whose recording never began for lack of room; the thread has nothing to do for it.
    func endedUnknown(_ id: UInt64, _ account: TapAccount) {
        if hasRecords { hooks.finished(id, account) }
    }

    /// Reserved room was released, and a worker waits for it.
    package func hasRoom() {
        hooks.hasRoom()
    }

    /// Counts bytes of a relay's connection that did not fit into the ring.
    func missed(_ count: Int, of relay: String) {
        guard hasRecords else { return }
        progress.missed(UInt64(count))
        hooks.counters(relay).addDropped(UInt64(count))
    }

    // MARK: End

    /// Accepts no further connections, and finishes when the last recorded connection has ended; under `block` not
    /// before everything is written.
    package func retire(then done: @escaping @Sendable () -> Void) {
        progress.retire()
        finish(whenIdle: { [self] in taps.load(ordering: .acquiring) == 0 }, isForced: false, then: done)
    }

    /// Writes the ring's contents, closes the recording and ends the thread; bytes that cannot be written now are lost.
    /// `done` is called on that thread.
    package func finish(then done: @escaping @Sendable () -> Void) {
        finish(whenIdle: { true }, isForced: true, then: done)
    }

    private func finish(
        whenIdle: @escaping @Sendable () -> Bool, isForced: Bool, then done: @escaping @Sendable () -> Void
    ) {
        if !mailbox.post(.finish(whenIdle: whenIdle, isForced: isForced, done)) { done() }
    }

    /// Waits until the thread has ended, after `done` of `finish` or `retire` was called.
    package func join() {
        thread.join()
    }
}

/// A message to a recorder's thread.
enum RecorderCommand: Sendable {
    /// The ring has events.
    case work
    /// Finish once `whenIdle` returns true; unless forced, under `block` only after everything was written.
    case finish(whenIdle: @Sendable () -> Bool, isForced: Bool, @Sendable () -> Void)
}
