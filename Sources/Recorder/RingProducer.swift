package import EventLoop
internal import Recording
internal import Sockets

/// One worker's producer for the ring of one recorder, shared by its taps of that recording, on the worker's thread.
///
/// Small events are staged and appended to the ring together at the end of the loop's turn, which takes the ring's lock
/// once and touches its memory once. Large events, and those for a nearly full ring, are appended at once.
package final class RingProducer: TurnObserver {
    /// The stages of all workers, and their reservations, take at most the ring's size divided by this.
    private static let partOfRing = 64
    /// The smallest ring with staging: reservations keep the space of two records free, a quarter of a small ring.
    private static let smallestRing = 4 << 20
    /// The useful sizes of a stage, bytes. The largest holds some 150 messages and fits the core's first-level cache.
    private static let stageSizes = (2 << 10)...(16 << 10)
    /// The largest event that is staged; staging copies it twice.
    private static let largestStaged = 1 << 10

    /// Callbacks.
    package struct Hooks {
        /// The recorder's thread sleeps and the ring has events.
        package var wake: () -> Void
        /// A full ring has room again.
        package var hasRoom: () -> Void
    }

    // MARK: Fixed at init

    /// The largest payload of an event.
    let largestEvent: Int
    /// The worker's reservation, if the recording must be complete.
    let room: RingReservation?
    private let ring: TapRing
    private let loop: EventLoop
    private let hooks: Hooks
    /// Nil if the ring is too small for it.
    private let stage: RingStage<TapEvent, TapNote>?

    // MARK: The worker's thread only

    private var isTurnEndAwaited = false

    /// The producer of one of `workers` workers. `isWhole` says that the recording must be complete.
    package init(ring: TapRing, isWhole: Bool, workers: Int, ordinaryRead: Int, loop: EventLoop, hooks: Hooks) {
        self.ring = ring
        self.loop = loop
        self.hooks = hooks
        largestEvent = ring.largestPayload
        room = isWhole ? RingReservation(ring: ring, workers: workers, ordinaryRead: ordinaryRead) : nil
        let share = ring.capacity / Self.partOfRing / workers
        let isWorthIt = ring.capacity >= Self.smallestRing && share >= Self.stageSizes.lowerBound
        stage = isWorthIt ? RingStage(ring: ring, capacity: min(share, Self.stageSizes.upperBound)) : nil
    }

    package convenience init(to recorder: Recorder, workers: Int, ordinaryRead: Int, loop: EventLoop) {
        self.init(
            ring: recorder.ring, isWhole: recorder.isBlocking, workers: workers,
            ordinaryRead: ordinaryRead, loop: loop,
            hooks: Hooks(wake: recorder.wake, hasRoom: recorder.hasRoom))
    }

    deinit {
        releaseReservation()
    }

    // MARK: Events

    /// Passes an event to the recorder. False if there is no room; the worker's reservation counts as room only for
    /// bytes for which it was made.
    @inline(__always)
    package func append(
        _ event: TapEvent, _ bytes: RawSpan, _ note: TapNote?, mayUseReservation: Bool = true
    ) -> Bool {
        let least = note == nil ? 0 : Recorder.roomOfNote
        if let stage, bytes.byteCount <= Self.largestStaged, stage.append(event, bytes, attachment: note, room: least) {
            if !isTurnEndAwaited { awaitTurnEnd() }
            return true
        }
        return appendUnstaged(event, bytes, note, least, mayUseReservation)
    }

    @inline(never)
    private func appendUnstaged(
        _ event: TapEvent, _ bytes: RawSpan, _ note: TapNote?, _ least: Int, _ mayUseReservation: Bool
    ) -> Bool {
        // Staged events go first. Flushing also renews the stage's reservation, even if nothing is staged.
        let isSmall = bytes.byteCount <= Self.largestStaged
        if isSmall { flush() } else { flushIfAny() }
        if isSmall, let stage, stage.append(event, bytes, attachment: note, room: least) {
            awaitTurnEnd()
            return true
        }
        let size = TapRing.size(ofPayload: max(bytes.byteCount, least))
        let reserved = mayUseReservation ? room?.use(size) ?? 0 : 0
        return wake(ring.append(event, bytes, attachment: note, room: least, reserved: reserved))
    }

    private func awaitTurnEnd() {
        guard !isTurnEndAwaited else { return }
        isTurnEndAwaited = true
        loop.notifyAtTurnEnd(self)
    }

    /// Passes a connection's last event, which always fits, and all staged events to the ring at once.
    package func appendLast(_ event: TapEvent, _ note: TapNote) {
        // Preferably within the reservation, because the ring delivers records without room late.
        if let stage, stage.append(event, RawSpan(), attachment: note, room: Recorder.roomOfNote) { return flush() }
        flushIfAny()
        _ = wake(ring.appendAlways(event, attachment: note, room: Recorder.roomOfNote))
    }

    // MARK: Staged events

    package func turnEnded() {
        isTurnEndAwaited = false
        flushIfAny()
    }

    private func flushIfAny() {
        if let stage, !stage.isEmpty { flush() }
    }

    private func flush() {
        if let stage { _ = wake(stage.flush()) }
    }

    /// Flushes the stage and releases all reservations, when the worker no longer records there.
    package func releaseReservation() {
        flushIfAny()
        let isStageAwaited = stage?.giveBack() ?? false
        let isRoomAwaited = room?.releaseAll() ?? false
        if isStageAwaited || isRoomAwaited { hooks.hasRoom() }
    }

    /// Releases the reservation beyond the portion that is kept between events.
    @inline(__always)
    func releaseUnused() {
        if let room, room.releaseUnused() { hooks.hasRoom() }
    }

    /// Whether the event was appended. Wakes the recorder's thread if needed.
    @inline(__always)
    private func wake(_ outcome: TapRing.Outcome) -> Bool {
        if outcome == .appendedToSleeper { hooks.wake() }
        return outcome != .full
    }
}
