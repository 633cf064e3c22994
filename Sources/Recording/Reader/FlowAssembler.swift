/// Puts one flow's segments in order: retransmissions and overlaps are shown once, the first copy counts, early
/// segments wait for those before them, and bytes that do not come are a gap.
///
/// Positions are offsets in the stream in 64 bits, found from the nearest of the 32-bit sequence numbers, which wrap
/// (RFC 9293, section 3.4). A value; it calls nothing.
///
/// No arithmetic overflows: a gap that would take `next` past 2⁶² is not believed, and no segment is taken once it is
/// at 2⁶² + 2⁶¹; a segment lies within 2³¹ of `next` and is at most 16 MiB long.
struct FlowAssembler {
    /// What becomes of a segment, in the order of the stream.
    enum Piece {
        case bytes(ArraySlice<UInt8>)
        case missing(UInt64)
        /// Bytes of one segment that are not shown.
        case skipped(SkipCause, bytes: Int)
    }

    private struct Held {
        var offset: UInt64
        var bytes: [UInt8]
        var length: Int
        var time: Int64
        var end: UInt64 { offset + UInt64(length) }
    }

    /// The sequence number of the first byte; nil until a SYN or data.
    private var base: UInt32?
    /// The byte that the receiver expects, by its acknowledgements, while `base` is nil.
    private var expected: UInt32?
    /// The offset of the byte that comes next.
    private(set) var next: UInt64 = 0
    /// When bytes last came in their turn, or the recording reported a loss.
    private var progressed = Int64.min
    /// How far the receiver has acknowledged.
    private var acknowledged: UInt64 = 0
    /// How far it had acknowledged, and when, when it was first ahead of `next`: what is given up sooner.
    private var ahead: (offset: UInt64, time: Int64) = (0, .min)
    /// How far beyond the acknowledged bytes the receiver takes segments, as far as is known.
    var window = UInt64.max
    /// Where the flow ends, once its FIN was seen.
    private var end: UInt64?
    /// Early segments, by offset.
    private var held = Queue<Held>()
    private(set) var heldCost = 0
    /// Bytes that a segment repeats of those already shown, missing or held. They are not compared with the first copy.
    private(set) var repeated: UInt64 = 0
    /// How many held segments were moved in memory so far, the measure of the work.
    var heldMoves: Int { held.moved }

    /// No gap gets this far, whatever a comment says: 4 EiB.
    private static let furthestGap: UInt64 = 1 << 62
    /// No flow gets this far.
    private static let furthest: UInt64 = (1 << 62) + (1 << 61)

    /// Whether the flow has started.
    var hasStarted: Bool { base != nil }
    /// Whether its FIN and all before it have come.
    var hasEnded: Bool { end == next && base != nil }
    /// Whether segments wait for earlier ones.
    var isWaiting: Bool { !held.isEmpty }
    /// Whether nothing but the number of its first byte is known.
    private var isUntouched: Bool { next == 0 && held.isEmpty && end == nil }

    // MARK: Start

    /// How far before the first byte that was seen a SYN may lie and still be this flow's: the data overtook it.
    private static let latestSYN: UInt32 = 1 << 20

    /// Whether a SYN with this sequence number could be the start of this very flow, seen late or twice.
    func mayStart(withSYN sequence: UInt32, isFirst: Bool) -> Bool {
        guard let base else { return true }
        return base == sequence &+ 1 || (isFirst && base &- (sequence &+ 1) < Self.latestSYN)
    }

    /// Whether its first byte is the one after this SYN.
    func started(withSYN sequence: UInt32) -> Bool { base == sequence &+ 1 }

    /// Whether this is the number of the first byte, or lies so little behind it that the first bytes may be missing.
    func mayBegin(at sequence: UInt32, isExact: Bool) -> Bool {
        base.map { sequence &- $0 <= (isExact ? 0 : 0xFFFF) } ?? false
    }

    /// The flow starts with the byte after this SYN.
    mutating func start(afterSYN sequence: UInt32) {
        if base == nil || isUntouched { base = sequence &+ 1 }
    }

    // MARK: Data

    /// Takes a segment's bytes. `sequence` is that of its first byte. `isFinal` says that a FIN follows them, `lost`
    /// how many bytes before it were not recorded according to the recording, so that they are not waited for.
    mutating func take(
        _ bytes: ArraySlice<UInt8>, length: Int, sequence: UInt32, isFinal: Bool, lost: UInt64, time: Int64,
        limits: ReassemblyLimits, into pieces: inout [Piece]
    ) {
        let isLossTold = lost > 0 && next < Self.furthestGap && lost < Self.furthestGap - next
        guard length > 0 || isFinal || isLossTold else { return }
        guard next < Self.furthest else {
            if length > 0 { pieces.append(.skipped(.afterEnd, bytes: bytes.count)) }
            return
        }
        // The number is that of the byte behind what was lost.
        let start = base ?? firstByte(sequence, lost: isLossTold ? lost : 0)
        base = start
        if isLossTold {
            // More may be lost than 32 bits can tell: the count says it, not the sequence number.
            giveUpAll(into: &pieces)
            pieces.append(.missing(lost))
            advance(to: next + lost, time)
        }
        let offset = position(of: sequence, from: start)
        if isFinal { noteEnd(offset + Int64(length)) }
        guard length > 0 else { return }
        if offset <= Int64(next) {
            let before = next
            if offset < 0 { skipBeforeStart(bytes, length: length, from: offset, into: &pieces) }
            // A keep-alive after the FIN carries a byte that means nothing (RFC 9293, section 3.8.4).
            if hasEnded, length == 1, offset == Int64(next) { return }
            deliver(bytes, length: length, from: offset, into: &pieces)
            drain(into: &pieces)
            if next > before { progressed = time }
        } else {
            hold(bytes, length: length, at: UInt64(offset), time: time)
            while heldCost > limits.heldInFlow { giveUpOne(into: &pieces) }
        }
    }

    /// The number of the flow's first byte, by the first segment: the byte that the receiver expects, where that comes
    /// little before it, because segments may come in another order. What is not there of it is a gap.
    private func firstByte(_ sequence: UInt32, lost: UInt64) -> UInt32 {
        if lost > 0 { return sequence &- UInt32(truncatingIfNeeded: lost) }
        guard let expected, sequence &- expected < Self.latestSYN else { return sequence }
        return expected
    }

    /// How many bytes of a segment are not among those that were shown or are missing; nil when it lies so far from
    /// them that it is not this flow's.
    func newBytes(_ length: Int, at sequence: UInt32) -> Int? {
        guard let base, next < Self.furthest else { return nil }
        let offset = position(of: sequence, from: base)
        guard offset <= Int64(next) + Int64(Self.latestSYN), offset >= -Int64(Self.latestSYN) else { return nil }
        let isKeepAlive = offset == -1 && length == 1
        let before = isKeepAlive ? 0 : max(0, -offset)
        return Int(clamping: min(Int64(length), before + max(0, offset + Int64(length) - Int64(next))))
    }

    private func skipBeforeStart(
        _ bytes: ArraySlice<UInt8>, length: Int, from offset: Int64, into pieces: inout [Piece]
    ) {
        // The number before the first byte is the SYN's: a keep-alive's byte stands there, and means nothing.
        guard offset < -1 || length > 1 else { return }
        pieces.append(.skipped(.beforeStart, bytes: Int(clamping: min(Int64(bytes.count), -offset))))
    }

    /// A FIN ends the flow at an offset. One that lies before bytes which have come is not this flow's, and of two the
    /// nearer is believed.
    private mutating func noteEnd(_ offset: Int64) {
        guard offset >= Int64(next) else { return }
        if let end, end >= next, end <= UInt64(offset) { return }
        end = UInt64(offset)
    }

    // MARK: Acknowledgements

    /// The receiver acknowledges up to a sequence number.
    mutating func acknowledge(_ sequence: UInt32, at time: Int64) {
        guard let base else {
            expected = sequence
            return
        }
        guard next < Self.furthest else { return }
        let offset = position(of: sequence, from: base)
        guard offset > 0, UInt64(offset) > acknowledged else { return }
        acknowledged = UInt64(offset)
        if acknowledged > next, ahead.offset <= next { ahead = (acknowledged, time) }
    }

    /// Whether a reset with this number is one that the receiver takes: it lies in the window, which begins where the
    /// receiver has acknowledged (RFC 9293, section 3.10.7.4). The window's end is counted from the last byte that is
    /// known, because a capture may miss acknowledgements.
    func admitsReset(_ sequence: UInt32, window: UInt64) -> Bool {
        guard let base else {
            guard let expected else { return true }
            return UInt64(sequence &- expected) <= window
        }
        guard next < Self.furthest else { return false }
        let offset = position(of: sequence, from: base)
        let last = max(next, acknowledged, held.last?.end ?? 0, end.map { $0 + 1 } ?? 0)
        return offset >= Int64(min(acknowledged, next)) && offset <= Int64(last + min(window, 1 << 30))
    }

    /// Whether an acknowledgement is for something between the SYN and what comes next.
    func covers(acknowledgement: UInt32) -> Bool {
        base.map { UInt64(acknowledgement &- $0) <= next } ?? true
    }

    /// Whether a sequence number is the first byte's.
    func isFirst(_ sequence: UInt32) -> Bool { base.map { $0 == sequence } ?? true }

    // MARK: Giving up

    /// Gives up what has been missing for too long: bytes that the receiver has acknowledged, and that therefore were
    /// on the wire, sooner than those which the sender may still send again.
    mutating func review(at time: Int64, _ limits: ReassemblyLimits, into pieces: inout [Piece]) {
        while let first = held.first {
            if ahead.offset > next {
                guard Self.hasPassed(limits.acknowledgedPatience, from: max(ahead.time, first.time), to: time) else {
                    return
                }
                giveUp(to: min(ahead.offset, first.offset), into: &pieces)
                ahead = (acknowledged, time)
            } else {
                guard Self.hasPassed(limits.patience, from: max(progressed, first.time), to: time) else { return }
                if !skipStray(into: &pieces) { giveUpOne(into: &pieces) }
            }
        }
    }

    private static func hasPassed(_ patience: Int64, from start: Int64, to time: Int64) -> Bool {
        let (waited, overflow) = time.subtractingReportingOverflow(start)
        return !overflow && waited >= patience
    }

    /// Leaves out the first held segment if the receiver cannot have taken it: it acknowledged all that came before,
    /// and its window ends before the segment. Where acknowledgements are not captured, nothing is known about that.
    private mutating func skipStray(into pieces: inout [Piece]) -> Bool {
        guard let first = held.first, acknowledged > 0, acknowledged >= next, first.offset > acknowledged,
            first.offset - acknowledged > window
        else { return false }
        pieces.append(.skipped(.beyondWindow, bytes: first.bytes.count))
        heldCost -= first.bytes.count + Self.heldOverhead
        _ = held.popFirst()
        return true
    }

    /// Gives up the first of what is missing.
    private mutating func giveUpOne(into pieces: inout [Piece]) {
        guard let first = held.first else { return }
        giveUp(to: first.offset, into: &pieces)
    }

    private mutating func giveUp(to offset: UInt64, into pieces: inout [Piece]) {
        if offset > next {
            pieces.append(.missing(offset - next))
            next = offset
        }
        drain(into: &pieces)
    }

    /// Gives up all that is missing.
    mutating func giveUpAll(into pieces: inout [Piece]) {
        while isWaiting { giveUpOne(into: &pieces) }
    }

    /// Nothing more comes: what is missing before the FIN is given up. Held segments behind the FIN are not the flow's.
    mutating func finish(into pieces: inout [Piece]) {
        while let first = held.first {
            if let end, end >= next, first.offset >= end { break }
            if !skipStray(into: &pieces) { giveUpOne(into: &pieces) }
        }
        for place in 0..<held.count { pieces.append(.skipped(.afterEnd, bytes: held[place].bytes.count)) }
        held.removeAll()
        heldCost = 0
        if let end, end > next, end - next < 1 << 31 {
            pieces.append(.missing(end - next))
            next = end
        }
    }

    // MARK: Positions

    /// The offset that lies nearest to what comes next; below zero for what was before the flow's start. `next` is at
    /// most 2⁶² + 2⁶¹ + 2³² here.
    private func position(of sequence: UInt32, from base: UInt32) -> Int64 {
        let distance = sequence &- (base &+ UInt32(truncatingIfNeeded: next))
        return Int64(next) + Int64(Int32(bitPattern: distance))
    }

    private mutating func advance(to offset: UInt64, _ time: Int64) {
        next = offset
        progressed = time
    }

    // MARK: In order

    /// Takes bytes that start at or before what comes next.
    private mutating func deliver(
        _ bytes: ArraySlice<UInt8>, length: Int, from offset: Int64, into pieces: inout [Piece]
    ) {
        let old = Int64(next) - offset
        // A keep-alive repeats the last byte, or sends another in its place (RFC 9293, section 3.8.4).
        if old > 0, old != 1 || length != 1 { repeated &+= UInt64(max(0, min(old, Int64(length)) + min(offset, 0))) }
        guard old < Int64(length) else { return }
        let new = bytes.dropFirst(Int(old))
        if !new.isEmpty { pieces.append(.bytes(new)) }
        // The capture may have kept less than the segment had.
        let cut = length - Int(old) - new.count
        if cut > 0 { pieces.append(.missing(UInt64(cut))) }
        next += UInt64(length) - UInt64(old)
    }

    /// Takes what waited for this.
    private mutating func drain(into pieces: inout [Piece]) {
        while let segment = held.first, segment.offset <= next {
            _ = held.popFirst()
            deliver(segment.bytes[...], length: segment.length, from: Int64(segment.offset), into: &pieces)
            heldCost -= segment.bytes.count + Self.heldOverhead
        }
    }

    // MARK: Early

    /// What a held segment costs besides its bytes.
    private static let heldOverhead = 64

    private mutating func hold(
        _ bytes: ArraySlice<UInt8>, length: Int, at offset: UInt64, time: Int64
    ) {
        let place = self.place(for: offset)
        // A copy of what waits already.
        if place > 0, held[place - 1].end >= offset + UInt64(length), held[place - 1].bytes.count >= bytes.count {
            repeated &+= UInt64(length)
            return
        }
        held.insert(
            Held(offset: offset, bytes: Array(bytes), length: length, time: time), at: place)
        heldCost += bytes.count + Self.heldOverhead
    }

    /// The place behind all held segments that do not lie beyond an offset.
    private func place(for offset: UInt64) -> Int {
        // Segments come nearly in order: the place is nearly always the end.
        if held.last.map({ $0.offset <= offset }) ?? true { return held.count }
        var low = 0
        var high = held.count
        while low < high {
            let middle = low + (high - low) / 2
            if held[middle].offset <= offset { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
