/// Puts one flow's segments in order: of retransmitted and overlapping bytes the first copy is used, early segments
/// wait for those before them, and bytes that do not arrive become a gap.
///
/// Positions are 64-bit stream offsets, derived from the nearest 32-bit sequence number, which wraps (RFC 9293, section
/// 3.4). A value without callbacks.
///
/// No arithmetic overflows: a gap that would move `next` past 2⁶² is ignored, and no segment is accepted once `next` is
/// at 2⁶² + 2⁶¹; a segment lies within 2³¹ of `next` and has at most 16 MiB.
struct FlowAssembler {
    /// Output of the assembler, in the order of the stream.
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

    /// The sequence number of the first byte; nil before a SYN or data.
    private var base: UInt32?
    /// While `base` is nil: the sequence number that the receiver expects, from its acknowledgements.
    private var expected: UInt32?
    /// The offset of the next byte.
    private(set) var next: UInt64 = 0
    /// When bytes last arrived in order, or the recording reported a loss.
    private var progressed = Int64.min
    /// The offset that the receiver has acknowledged.
    private var acknowledged: UInt64 = 0
    /// The acknowledged offset and the time when it first exceeded `next`: bytes before it are declared missing sooner.
    private var ahead: (offset: UInt64, time: Int64) = (0, .min)
    /// The receiver's window beyond the acknowledged bytes, if known.
    var window = UInt64.max
    /// The offset of the end, once the FIN was seen.
    private var end: UInt64?
    /// Early segments, by offset.
    private var held = Queue<Held>()
    private(set) var heldCost = 0
    /// Bytes that repeat bytes already shown, missing or held. They are not compared with the first copy.
    private(set) var repeated: UInt64 = 0
    /// The number of moves of held segments in memory so far, for tests of the cost.
    var heldMoves: Int { held.moved }

    /// The limit for gaps from comments: 4 EiB.
    private static let furthestGap: UInt64 = 1 << 62
    /// The limit for the flow.
    private static let furthest: UInt64 = (1 << 62) + (1 << 61)

    /// Whether the flow has started.
    var hasStarted: Bool { base != nil }
    /// Whether the FIN and all bytes before it have arrived.
    var hasEnded: Bool { end == next && base != nil }
    /// Whether early segments are held.
    var isWaiting: Bool { !held.isEmpty }
    /// Whether only the sequence number of the first byte is known.
    private var isUntouched: Bool { next == 0 && held.isEmpty && end == nil }

    // MARK: Start

    /// The largest distance of a SYN before the first byte seen, for data that overtook its SYN.
    private static let latestSYN: UInt32 = 1 << 20

    /// Whether a SYN with this sequence number can be the start of this flow, late or repeated.
    func mayStart(withSYN sequence: UInt32, isFirst: Bool) -> Bool {
        guard let base else { return true }
        return base == sequence &+ 1 || (isFirst && base &- (sequence &+ 1) < Self.latestSYN)
    }

    /// Whether the first byte is the one after this SYN.
    func started(withSYN sequence: UInt32) -> Bool { base == sequence &+ 1 }

    /// Whether this is the number of the first byte, or so close after it that the first bytes may be missing.
    func mayBegin(at sequence: UInt32, isExact: Bool) -> Bool {
        base.map { sequence &- $0 <= (isExact ? 0 : 0xFFFF) } ?? false
    }

    /// Starts the flow with the byte after this SYN.
    mutating func start(afterSYN sequence: UInt32) {
        if base == nil || isUntouched { base = sequence &+ 1 }
    }

    // MARK: Data

    /// Adds a segment. `sequence` is that of its first byte, `isFinal` says that it has a FIN, and `lost` is the number
    /// of bytes before it that are missing according to the recording, so that it does not wait for them.
    mutating func add(
        _ bytes: ArraySlice<UInt8>, length: Int, sequence: UInt32, isFinal: Bool, lost: UInt64, time: Int64,
        limits: ReassemblyLimits, into pieces: inout [Piece]
    ) {
        let hasLoss = lost > 0 && next < Self.furthestGap && lost < Self.furthestGap - next
        guard length > 0 || isFinal || hasLoss else { return }
        guard next < Self.furthest else {
            if length > 0 { pieces.append(.skipped(.afterEnd, bytes: bytes.count)) }
            return
        }
        // The sequence number is that of the byte after the loss.
        let start = base ?? firstByte(sequence, lost: hasLoss ? lost : 0)
        base = start
        if hasLoss {
            // The loss may exceed 32 bits, so the count is used and not the sequence number.
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
            // A keep-alive after the FIN has one meaningless byte (RFC 9293, section 3.8.4).
            if hasEnded, length == 1, offset == Int64(next) { return }
            deliver(bytes, length: length, from: offset, into: &pieces)
            drain(into: &pieces)
            if next > before { progressed = time }
        } else {
            hold(bytes, length: length, at: UInt64(offset), time: time)
            while heldCost > limits.heldInFlow { giveUpOne(into: &pieces) }
        }
    }

    /// The sequence number of the flow's first byte, from the first segment. If the receiver expects a byte shortly
    /// before it, that is the first byte, because segments may be out of order; bytes that do not arrive become a gap.
    private func firstByte(_ sequence: UInt32, lost: UInt64) -> UInt32 {
        if lost > 0 { return sequence &- UInt32(truncatingIfNeeded: lost) }
        guard let expected, sequence &- expected < Self.latestSYN else { return sequence }
        return expected
    }

    /// The number of a segment's bytes that were neither shown nor declared missing; nil if it is so far away that it
    /// does not belong to this flow.
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
        // The number before the first byte is the SYN's; a keep-alive's meaningless byte has it too.
        guard offset < -1 || length > 1 else { return }
        pieces.append(.skipped(.beforeStart, bytes: Int(clamping: min(Int64(bytes.count), -offset))))
    }

    /// A FIN ends the flow at an offset. A FIN before bytes that have arrived is not this flow's; of two, the nearer
    /// applies.
    private mutating func noteEnd(_ offset: Int64) {
        guard offset >= Int64(next) else { return }
        if let end, end >= next, end <= UInt64(offset) { return }
        end = UInt64(offset)
    }

    // MARK: Acknowledgements

    /// Applies an acknowledgement of the receiver.
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

    /// Whether the receiver accepts a reset with this number: it must be in the window, which begins at the
    /// acknowledged offset (RFC 9293, section 3.10.7.4). The window's end counts from the last known byte, because a
    /// capture may lack acknowledgements.
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

    /// Whether an acknowledgement is between the SYN and the next byte.
    func covers(acknowledgement: UInt32) -> Bool {
        base.map { UInt64(acknowledgement &- $0) <= next } ?? true
    }

    /// Whether a sequence number is the first byte's.
    func isFirst(_ sequence: UInt32) -> Bool { base.map { $0 == sequence } ?? true }

    // MARK: Gaps

    /// Declares bytes missing after a timeout. It is shorter for bytes that the receiver has acknowledged, which the
    /// sender will not send again.
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

    /// Skips the first held segment if the receiver cannot have accepted it: it had acknowledged all earlier bytes, and
    /// its window ends before the segment. Without captured acknowledgements this is unknown.
    private mutating func skipStray(into pieces: inout [Piece]) -> Bool {
        guard let first = held.first, acknowledged > 0, acknowledged >= next, first.offset > acknowledged,
            first.offset - acknowledged > window
        else { return false }
        pieces.append(.skipped(.beyondWindow, bytes: first.bytes.count))
        heldCost -= first.bytes.count + Self.heldOverhead
        _ = held.popFirst()
        return true
    }

    /// Declares the bytes before the first held segment missing.
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

    /// Declares all bytes between held segments missing.
    mutating func giveUpAll(into pieces: inout [Piece]) {
        while isWaiting { giveUpOne(into: &pieces) }
    }

    /// Ends the flow: bytes missing before the FIN become a gap. Held segments after the FIN do not belong to the flow.
    mutating func finish(into pieces: inout [Piece]) {
        while let first = held.first {
            if let end, end >= next, first.offset >= end { break }
            if !skipStray(into: &pieces) { giveUpOne(into: &pieces) }
        }
        for index in 0..<held.count { pieces.append(.skipped(.afterEnd, bytes: held[index].bytes.count)) }
        held.removeAll()
        heldCost = 0
        if let end, end > next, end - next < 1 << 31 {
            pieces.append(.missing(end - next))
            next = end
        }
    }

    // MARK: Positions

    /// The offset nearest to `next` for a sequence number; negative before the flow's start. `next` is at most
    /// 2⁶² + 2⁶¹ + 2³² here.
    private func position(of sequence: UInt32, from base: UInt32) -> Int64 {
        let distance = sequence &- (base &+ UInt32(truncatingIfNeeded: next))
        return Int64(next) + Int64(Int32(bitPattern: distance))
    }

    private mutating func advance(to offset: UInt64, _ time: Int64) {
        next = offset
        progressed = time
    }

    // MARK: In order

    /// Delivers bytes that start at or before `next`.
    private mutating func deliver(
        _ bytes: ArraySlice<UInt8>, length: Int, from offset: Int64, into pieces: inout [Piece]
    ) {
        let old = Int64(next) - offset
        // A keep-alive repeats the last byte or has any other byte in its place (RFC 9293, section 3.8.4).
        if old > 0, old != 1 || length != 1 { repeated &+= UInt64(max(0, min(old, Int64(length)) + min(offset, 0))) }
        guard old < Int64(length) else { return }
        let new = bytes.dropFirst(Int(old))
        if !new.isEmpty { pieces.append(.bytes(new)) }
        // The capture may have truncated the segment.
        let cut = length - Int(old) - new.count
        if cut > 0 { pieces.append(.missing(UInt64(cut))) }
        next += UInt64(length) - UInt64(old)
    }

    /// Delivers held segments that are now in order.
    private mutating func drain(into pieces: inout [Piece]) {
        while let segment = held.first, segment.offset <= next {
            _ = held.popFirst()
            deliver(segment.bytes[...], length: segment.length, from: Int64(segment.offset), into: &pieces)
            heldCost -= segment.bytes.count + Self.heldOverhead
        }
    }

    // MARK: Early segments

    /// The cost of a held segment in addition to its bytes.
    private static let heldOverhead = 64

    private mutating func hold(
        _ bytes: ArraySlice<UInt8>, length: Int, at offset: UInt64, time: Int64
    ) {
        let index = insertionIndex(for: offset)
        // A copy of a held segment.
        if index > 0, held[index - 1].end >= offset + UInt64(length), held[index - 1].bytes.count >= bytes.count {
            repeated &+= UInt64(length)
            return
        }
        held.insert(
            Held(offset: offset, bytes: Array(bytes), length: length, time: time), at: index)
        heldCost += bytes.count + Self.heldOverhead
    }

    /// The index after all held segments that begin at or before an offset.
    private func insertionIndex(for offset: UInt64) -> Int {
        // Segments are nearly in order, so this is nearly always the end.
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
