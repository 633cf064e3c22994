internal import EventLoop
internal import Recorder
internal import Recording
internal import Sockets

/// One direction of a connection: bytes read from one leg and written to the other, in order, each counted when the
/// destination's socket has taken it.
///
/// Owned by its connection, on the worker's thread. Two pumps move the bytes: `copy` through the worker's scratch buffer
/// and, once the flow streams, `splice` through a pipe in the kernel; a flow changes over by itself (see
/// `Flow+Copy.swift`, `Flow+Splice.swift`). What the destination has no room for is kept, and reading rests until it is
/// gone. An idle flow holds neither buffer nor pipe.
final class Flow {
    /// What moving bytes came to.
    enum Outcome {
        /// The flow waits for its source or for its destination.
        case waiting
        /// The source has ended its half.
        case sourceEnded
        /// Reading failed. What came before that was handed on or is kept, or can still be read.
        case sourceFailed(Errno)
        /// Writing failed.
        case destinationFailed(Errno)
        /// The source had ended before, and now the last byte is delivered.
        case delivered
    }

    /// The numbers that decide when a flow changes over and how much it does at once.
    enum Limits {
        /// How much one read takes: at most this much is kept for a slow destination.
        static let read = 32 << 10
        /// How much one read takes on a flow that streams and cannot splice (a tap, no pipe).
        static let streamingRead = 256 << 10
        /// How much one event moves at most, so that a fast flow cannot starve the others.
        static let perEvent = 1 << 20
        /// How much one event copies at most.
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

    // MARK: Fixed at birth

    let direction: Direction
    /// Strong, though the connection owns the legs and the worker the connection: constants that are held need not be
    /// counted at every use. The worker lets the connection go when it ends.
    let worker: Worker
    let scratch: ByteBuffer
    let source: Leg
    let destination: Leg

    // MARK: The loop's thread only

    /// Where copies of the bytes go; while there is any, the flow is copied. Both flows share them. They change between
    /// events only.
    var taps: FlowTaps? {
        didSet { callableTaps = taps.map(Unmanaged.passUnretained) }
    }
    /// The same, for a call that must not count a reference.
    private(set) var callableTaps: Unmanaged<FlowTaps>?
    /// The recording must be whole and has no room: nothing is read or sent until it has.
    var isWaitingForTap = false
    /// Bytes that the destination's socket took.
    var delivered: UInt64 = 0
    /// How many of them went by splice.
    var spliced: UInt64 = 0
    /// The loop's clock when the destination last took any, milliseconds.
    var lastProgress: UInt64
    /// The bytes that the destination had no room for.
    var kept: ByteBuffer?
    var keptOffset = 0
    var keptCount = 0
    /// The pipe, while the flow splices.
    var pipe: Pipe?
    var inPipe = 0
    /// Large reads in a row while copying; small ones in a row while splicing.
    var streak: UInt8 = 0
    /// Nothing more comes from the source: it has ended, or failed, or the flow was cut.
    var isSourceDone = false
    /// Reading rests until the destination has taken what is kept.
    var isPaused = false

    init(direction: Direction, worker: Worker, source: Leg, destination: Leg) {
        self.direction = direction
        self.worker = worker
        scratch = worker.scratch
        self.source = source
        self.destination = destination
        lastProgress = worker.loop.now
    }

    /// Whether bytes wait for the destination.
    @inline(__always)
    var isBlocked: Bool { keptCount > 0 || inPipe > 0 }

    /// Whether the source is to be watched for bytes.
    @inline(__always)
    var wantsToRead: Bool { !isSourceDone && !isPaused }

    /// Whether the destination is to be watched for room.
    @inline(__always)
    var wantsToWrite: Bool { isBlocked && !isWaitingForTap }

    /// The source can be read.
    @inline(__always)
    func sourceReady() -> Outcome {
        if isSourceDone { return .waiting }
        if isBlocked {
            // Only now is the interest changed: often the destination takes the rest before the source is read again.
            guard inPipe > 0, hasRoomInPipe, taps == nil else {
                isPaused = true
                return .waiting
            }
            return fillPipe()
        }
        return pump(sourceIsReadable: true)
    }

    /// The destination can be written.
    func destinationReady() -> Outcome {
        guard wantsToWrite else { return .waiting }
        let outcome = keptCount > 0 ? sendKept() : drainPipe()
        guard case .waiting = outcome, !isBlocked, !isWaitingForTap else { return outcome }
        if isSourceDone { return .delivered }
        guard isPaused else { return .waiting }
        // Read on at once: when the destination blocks again, neither watch has to change.
        let next = pump(sourceIsReadable: false)
        if !isBlocked && !isWaitingForTap { isPaused = false }
        return next
    }

    /// Moves a bounded amount by the pump that suits.
    @inline(__always)
    func pump(sourceIsReadable: Bool) -> Outcome {
        if pipe != nil { return splice(sourceIsReadable: sourceIsReadable) }
        guard let taps = callableTaps else { return copy() }
        return taps._withUnsafeGuaranteedRef { $0.mustBeWhole } ? copyWhole(to: taps) : copy()
    }

    /// Counts bytes that the destination's socket took.
    @inline(__always)
    func count(_ bytes: Int) {
        delivered &+= UInt64(bytes)
        lastProgress = worker.loop.now
    }

    /// A read found nothing. That is the end where the source has failed, for its error may be spent already.
    @inline(__always)
    func foundNothing() -> Outcome {
        guard source.hasFailed else { return .waiting }
        isSourceDone = true
        return .sourceEnded
    }

    /// The destination is gone, or the connection ends: nothing more moves, and what is kept is given up.
    func cut() {
        isSourceDone = true
        isWaitingForTap = false
        dropKept()
        leavePipe()
    }

    /// A recording that had no room has some.
    func tapHasRoom() -> Outcome {
        isWaitingForTap = false
        // The wait was not the peers'.
        lastProgress = worker.loop.now
        if isBlocked { return destinationReady() }
        guard !isSourceDone else { return .waiting }
        isPaused = false
        return pump(sourceIsReadable: false)
    }

    /// Goes back to copying when nothing is in the pipe: called by the sweep for a flow that has gone quiet.
    func rest() {
        guard pipe != nil, inPipe == 0 else { return }
        leavePipe()
    }
}
