package import EventLoop
internal import Recording
internal import Sockets

/// One worker's way into the ring of one recorder, shared by its taps of that recording, on the worker's thread.
///
/// Small events of one turn of the loop are gathered and put into the ring together when the turn ends: the ring's lock
/// is taken once for all of them, and the thread need not wait for the memory behind it. Large ones, and those of a ring
/// with little room, go into it at once.
package final class RingProducer: TurnObserver {
    /// What all workers gather, and are promised for it, is one part in so many of the ring at most.
    private static let partOfRing = 64
    /// What is promised to one is kept clear of by the others, by two records' length: a small ring would lose a quarter.
    private static let smallestRing = 4 << 20
    /// How many bytes it is worth gathering, and how many are enough: some 150 messages, that stay in the core's first
    /// cache.
    private static let gathers = (2 << 10)...(16 << 10)
    /// More bytes at once are copied only once.
    private static let largest = 1 << 10

    /// Whom it tells.
    package struct Hooks {
        /// The recorder's thread sleeps, and there is something in the ring.
        package var wake: () -> Void
        /// There is room again in a ring that was full.
        package var hasRoom: () -> Void
    }

    // MARK: Fixed at birth

    /// The most bytes that one event may have.
    let largestEvent: Int
    /// Where the recording must be whole: what the worker was promised.
    let room: RingReservation?
    private let ring: TapRing
    private let loop: EventLoop
    private let hooks: Hooks
    /// Nil where the ring is too small for it.
    private let stage: RingStage<TapEvent, TapNote>?

    // MARK: The worker's thread only

    private var isToldOfEnd = false

    /// A way into a ring for one of so many workers. `isWhole`: of a recording that must be.
    package init(ring: TapRing, isWhole: Bool, workers: Int, ordinaryRead: Int, loop: EventLoop, hooks: Hooks) {
        self.ring = ring
        self.loop = loop
        self.hooks = hooks
        largestEvent = ring.largestPayload
        room = isWhole ? RingReservation(ring: ring, workers: workers, ordinaryRead: ordinaryRead) : nil
        let share = ring.capacity / Self.partOfRing / workers
        let isWorthIt = ring.capacity >= Self.smallestRing && share >= Self.gathers.lowerBound
        stage = isWorthIt ? RingStage(ring: ring, capacity: min(share, Self.gathers.upperBound)) : nil
    }

    package convenience init(to recorder: Recorder, workers: Int, ordinaryRead: Int, loop: EventLoop) {
        self.init(
            ring: recorder.ring, isWhole: recorder.isBlocking, workers: workers,
            ordinaryRead: ordinaryRead, loop: loop,
            hooks: Hooks(wake: recorder.wake, hasRoom: recorder.hasRoom))
    }

    deinit {
        giveBack()
    }

    // MARK: Events

    /// Hands an event to the recorder. False when there is no room for it.
    @inline(__always)
    package func append(_ event: TapEvent, _ bytes: RawSpan, _ note: TapNote?) -> Bool {
        let least = note == nil ? 0 : Recorder.roomOfNote
        if let stage, bytes.byteCount <= Self.largest, stage.append(event, bytes, attachment: note, room: least) {
            if !isToldOfEnd { awaitEnd() }
            return true
        }
        return appendAnew(event, bytes, note, least)
    }

    @inline(never)
    private func appendAnew(_ event: TapEvent, _ bytes: RawSpan, _ note: TapNote?, _ least: Int) -> Bool {
        // What is gathered goes first; and when nothing is, more may be promised.
        let isSmall = bytes.byteCount <= Self.largest
        if isSmall { flush() } else { flushIfAny() }
        if isSmall, let stage, stage.append(event, bytes, attachment: note, room: least) {
            awaitEnd()
            return true
        }
        let promised = room?.use(TapRing.size(ofPayload: max(bytes.byteCount, least))) ?? 0
        return wake(ring.append(event, bytes, attachment: note, room: least, reserved: promised))
    }

    private func awaitEnd() {
        guard !isToldOfEnd else { return }
        isToldOfEnd = true
        loop.notifyAtTurnEnd(self)
    }

    /// Hands it an event for which there is always room, and which it has as soon as this returns, with all before it.
    package func appendLast(_ event: TapEvent, _ note: TapNote) {
        // By what was promised, if it can be: what the ring takes without room comes late.
        if let stage, stage.append(event, RawSpan(), attachment: note, room: Recorder.roomOfNote) { return flush() }
        flushIfAny()
        _ = wake(ring.appendAlways(event, attachment: note, room: Recorder.roomOfNote))
    }

    // MARK: What is gathered

    package func turnEnded() {
        isToldOfEnd = false
        flushIfAny()
    }

    private func flushIfAny() {
        if let stage, !stage.isEmpty { flush() }
    }

    private func flush() {
        if let stage { _ = wake(stage.flush()) }
    }

    /// Gives back all that was promised, for the worker records nothing there any more.
    package func giveBack() {
        flushIfAny()
        let isStageAwaited = stage?.giveBack() ?? false
        let isRoomAwaited = room?.giveBackAll() ?? false
        if isStageAwaited || isRoomAwaited { hooks.hasRoom() }
    }

    /// Gives back what was promised beyond what is kept from one event to the next.
    @inline(__always)
    func settle() {
        if let room, room.settle() { hooks.hasRoom() }
    }

    /// Whether it was appended. Wakes the recorder's thread where that has to be done.
    @inline(__always)
    private func wake(_ outcome: TapRing.Outcome) -> Bool {
        if outcome == .appendedToSleeper { hooks.wake() }
        return outcome != .full
    }
}
