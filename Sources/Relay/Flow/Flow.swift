internal import EventLoop
internal import Recorder
internal import Recording
internal import Sockets

/// One direction of a connection: bytes read from one leg and written to the other, in order, each counted when the
/// destination's socket has taken it.
///
/// Owned by its connection, on the worker's thread. A pump moves the bytes: `copy` through the worker's buffer and, once
/// the flow streams, `splice` through a pipe in the kernel (`Flow+Copy.swift`, `Flow+Splice.swift`). Bytes that the
/// destination has no room for are kept, and reading pauses until it has taken them. An idle flow holds neither buffer nor
/// pipe.
///
/// Every byte that the source leg has read is delivered, held, discarded, or still buffered by that leg.
final class Flow {
    /// The result of moving bytes.
    enum Outcome {
        /// The flow waits for its source or for its destination.
        case waiting
        /// The source has ended its half.
        case sourceEnded
        /// Reading failed. Earlier bytes were delivered, are held, or can still be read.
        case sourceFailed(Errno)
        /// Writing failed.
        case destinationFailed(Errno)
        /// The source had ended before, and now the last byte is delivered.
        case delivered
    }

    /// When a flow changes its pump, and how much it does at once. Bytes, unless the name says otherwise.
    enum Limits {
        /// One read: at most this much is kept for a slow destination.
        static let read = 32 << 10
        /// One read of a flow that streams and cannot splice (a tap, no pipe).
        static let streamingRead = 256 << 10
        /// One event splices at most this much, so that a fast flow cannot starve the others.
        static let perEvent = 1 << 20
        /// One event copies at most this much.
        static let copiedPerEvent = 256 << 10
        /// A read of this size counts as large.
        static let large = 24 << 10
        /// Consecutive large reads before a flow switches to splice.
        static let largeReadsToStream: UInt8 = 8
        /// A splice of less counts as small.
        static let small = 8 << 10
        /// Consecutive small splices before a flow switches back to copy.
        static let smallReadsToCopy: UInt8 = 8
    }

    // MARK: Fixed at init

    let direction: Direction
    /// Strong, although the connection owns the legs and the worker owns the connection: held constants are not retained at
    /// every use. The worker releases the connection when it ends.
    let worker: Worker
    let scratch: ByteBuffer
    let source: Leg
    let destination: Leg

    // MARK: The loop's thread only

    /// Copies of the bytes go here. Both flows share them. They change between events only.
    var taps: FlowTaps? {
        didSet {
            callableTaps = taps.map(Unmanaged.passUnretained)
            choosePump()
        }
    }
    /// The same, for a call that must not retain it.
    private(set) var callableTaps: Unmanaged<FlowTaps>?
    private var pump = Pump.copy
    var waits: FlowWaits = []
    /// Bytes that the destination's socket took.
    var delivered: UInt64 = 0
    /// How many of them were spliced.
    var spliced: UInt64 = 0
    /// Bytes that were read and will not be delivered, because the destination has failed or the connection has ended.
    var discarded: UInt64 = 0
    /// The loop's clock when the destination last took any, milliseconds.
    var lastProgress: UInt64
    /// The bytes that the destination had no room for.
    var kept: ByteBuffer?
    var keptOffset: UInt32 = 0
    var keptCount: UInt32 = 0
    /// The pipe, while the flow splices.
    private(set) var pipe: Pipe?
    var inPipe = 0
    /// Consecutive large reads while copying; consecutive small ones while splicing.
    var streak: UInt8 = 0
    /// No byte follows from the source: it has ended or failed, or the flow was cut.
    var isSourceDone = false
    /// Every byte is delivered, and the destination has no room for the end of its TLS session.
    private var isEndBlocked = false

    init(direction: Direction, worker: Worker, source: Leg, destination: Leg) {
        self.direction = direction
        self.worker = worker
        scratch = worker.scratch
        self.source = source
        self.destination = destination
        lastProgress = worker.loop.now
    }

    /// Bytes that were read and wait for the destination.
    @inline(__always)
    var held: Int { Int(keptCount) + inPipe }

    /// Bytes that were read from the source, in all.
    var read: UInt64 { delivered &+ discarded &+ UInt64(clamping: held) }

    /// Whether bytes, or the end, wait for the destination.
    @inline(__always)
    var isBlocked: Bool { keptCount > 0 || inPipe > 0 || isEndBlocked }

    /// The flow waits for something other than its legs: neither is watched for it, and no event of theirs moves bytes.
    @inline(__always)
    var isHeldUp: Bool { !waits.isSubset(of: .destination) }

    /// Whether bytes may be read and sent now.
    @inline(__always)
    var canMove: Bool { !isBlocked && !isHeldUp }

    /// Whether the source is watched for bytes.
    @inline(__always)
    var wantsToRead: Bool { !isSourceDone && waits.isEmpty }

    /// Whether the destination is watched for room.
    @inline(__always)
    var wantsToWrite: Bool { isBlocked && !isHeldUp }

    // MARK: Events

    /// The source can be read.
    @inline(__always)
    func sourceReady() -> Outcome {
        if isSourceDone { return .waiting }
        if isBlocked {
            guard pump == .splice, hasRoomInPipe else {
                waits.insert(.destination)
                return .waiting
            }
            return fillPipe()
        }
        return move(sourceIsReadable: true)
    }

    /// The destination can be written.
    func destinationReady() -> Outcome {
        guard wantsToWrite else { return .waiting }
        if isEndBlocked { return finish() }
        let outcome = keptCount > 0 ? sendKept() : drainPipe()
        guard case .waiting = outcome, canMove else { return outcome }
        if isSourceDone { return finish() }
        guard waits.contains(.destination) || source.hasBuffered else { return .waiting }
        // Read on at once: if the destination blocks again, neither watch has to change.
        let next = move(sourceIsReadable: false)
        if canMove { waits.remove(.destination) }
        return next
    }

    /// The reason to wait is gone, e.g. a recording has room again.
    func resume(from wait: FlowWaits) -> Outcome {
        waits.subtract(wait)
        // The peers did not cause the wait.
        lastProgress = worker.loop.now
        if isBlocked { return destinationReady() }
        guard !isSourceDone, !isHeldUp else { return .waiting }
        waits.remove(.destination)
        return move(sourceIsReadable: false)
    }

    // MARK: Moving

    /// Moves a bounded amount, and everything that the source has buffered, because epoll does not report it.
    @inline(__always)
    func move(sourceIsReadable: Bool) -> Outcome {
        let outcome = moveOnce(sourceIsReadable)
        return source.hasBuffered ? moveBuffered(outcome) : outcome
    }

    /// Stops when a step has not delivered any of them, so that it ends whatever the pump does. A session reads no more from
    /// its socket meanwhile, so that a fast sender cannot keep the loop.
    private func moveBuffered(_ first: Outcome) -> Outcome {
        source.readsBufferedOnly = true
        defer { source.readsBufferedOnly = false }
        var outcome = first
        var moved: UInt64?
        while case .waiting = outcome, source.hasBuffered, canMove, !isSourceDone, delivered != moved {
            moved = delivered
            outcome = moveOnce(false)
        }
        return outcome
    }

    @inline(__always)
    private func moveOnce(_ sourceIsReadable: Bool) -> Outcome {
        switch pump {
        case .copy: copy()
        case .splice: splice(sourceIsReadable: sourceIsReadable)
        case .copyWhole: copyWhole()
        case .emptyPipe: emptyPipe()
        }
    }

    /// Everything that the pump depends on.
    private var conditions: Pump.Conditions {
        var conditions = Pump.Conditions(
            hasPipe: pipe != nil, legsCanSplice: source.canSplice && destination.canSplice)
        if let taps {
            conditions.tapsNeedBytes = taps.needBytes(of: direction, from: delivered)
            conditions.mustBeWhole = tapMustBeWhole
        }
        return conditions
    }

    /// Whether a recording that must be whole needs the flow's next bytes.
    @inline(__always)
    var tapMustBeWhole: Bool {
        callableTaps?._withUnsafeGuaranteedRef { $0.mustBeWhole(of: direction, from: delivered) } ?? false
    }

    /// Chooses the pump again: when taps, legs or the pipe have changed.
    func choosePump() {
        pump = Pump(conditions)
    }

    /// The flow has shown that it streams. Begins to splice if it may and there is a pipe.
    func startSplicing() -> Bool {
        guard conditions.maySplice, let pipe = worker.pipes.take() else { return false }
        set(pipe)
        return true
    }

    /// Goes back to copying. Bytes in the pipe are discarded.
    func leavePipe() {
        guard let pipe else { return }
        worker.pipes.give(pipe, isEmpty: inPipe == 0)
        discarded &+= UInt64(inPipe)
        set(nil)
    }

    private func set(_ pipe: Pipe?) {
        self.pipe = pipe
        inPipe = 0
        streak = 0
        choosePump()
    }

    /// Counts bytes that the destination's socket took.
    @inline(__always)
    func count(_ bytes: Int) {
        delivered &+= UInt64(bytes)
        lastProgress = worker.loop.now
    }

    /// A read found nothing. That is the end if the source has failed, because its error may have been reported already.
    @inline(__always)
    func foundNothing() -> Outcome {
        guard source.hasFailed else { return .waiting }
        isSourceDone = true
        return .sourceEnded
    }

    // MARK: Ending

    /// Everything is delivered: ends the destination's TLS session, if it has one and the source has ended in order. A source
    /// that has failed leaves the session without its end, and the stream does not look complete.
    func finish() -> Outcome {
        isEndBlocked = !source.hasFailed && !destination.endSession()
        return isEndBlocked ? .waiting : .delivered
    }

    /// The destination has failed, or the connection ends: no byte moves any more, and held bytes are discarded.
    func cut() {
        isSourceDone = true
        isEndBlocked = false
        waits = []
        discarded &+= UInt64(Int(keptCount) + source.discardBuffered())
        dropKept()
        leavePipe()
    }

    /// Goes back to copying if the pipe is empty: called by the sweep for a quiet flow.
    func rest() {
        guard pipe != nil, inPipe == 0 else { return }
        leavePipe()
    }
}
