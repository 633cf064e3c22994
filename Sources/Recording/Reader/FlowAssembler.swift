/// Puts one flow's segments in order: retransmissions and overlaps are shown once, the first copy counts, early
/// segments wait for those before them, and what never comes is a gap.
///
/// Positions are offsets in the stream in 64 bits, found from the nearest of the 32-bit sequence numbers, which wrap
/// (RFC 9293, section 3.4). A value; it calls nobody.
struct FlowAssembler {
    /// What comes of a segment, in the order of the stream.
    enum Piece {
        case bytes(ArraySlice<UInt8>)
        case missing(UInt64)
    }

    private struct Held {
        var offset: UInt64
        var bytes: [UInt8]
        var length: Int
        var time: Int64
        var end: UInt64 { offset + UInt64(length) }
    }

    /// The sequence number of the first byte; nil until something tells.
    private var base: UInt32?
    /// The offset of the byte that comes next.
    private(set) var next: UInt64 = 0
    /// How far the receiver has acknowledged.
    private var acknowledged: UInt64 = 0
    /// Where the flow ends, once its FIN was seen.
    private var end: UInt64?
    /// Early segments, by offset.
    private var held: [Held] = []
    private(set) var heldCost = 0

    /// No flow gets this far, whatever a comment says: 4 EiB, and sums of two such still fit.
    private static let furthest: UInt64 = 1 << 62

    /// Whether the flow has started.
    var hasStarted: Bool { base != nil }
    /// Whether its FIN and all before it have come.
    var hasEnded: Bool { end.map { next >= $0 } ?? false }
    /// Whether segments wait for earlier ones.
    var isWaiting: Bool { !held.isEmpty }

    /// Whether a SYN with this sequence number could be the start of this very flow, seen late or twice.
    func mayStart(withSYN sequence: UInt32) -> Bool {
        base == nil || base == sequence &+ 1
    }

    /// The flow starts with the byte after this SYN.
    mutating func start(afterSYN sequence: UInt32) {
        if base == nil { base = sequence &+ 1 }
    }

    /// Takes a segment's bytes. `sequence` is that of its first byte. `isFinal` says that a FIN follows them, `lost` how
    /// many bytes before it the one who recorded says were not recorded, so that nobody waits for them.
    mutating func take(
        _ bytes: ArraySlice<UInt8>, length: Int, sequence: UInt32, isFinal: Bool, lost: UInt64, time: Int64,
        limits: ReassemblyLimits, into pieces: inout [Piece]
    ) {
        let isLossTold = lost > 0 && lost < Self.furthest && next < Self.furthest
        guard length > 0 || isFinal || isLossTold else { return }
        // The number is that of the byte behind what was lost.
        let start = base ?? sequence &- (isLossTold ? UInt32(truncatingIfNeeded: lost) : 0)
        base = start
        if isLossTold {
            // More may be lost than 32 bits can tell: the count says it, not the sequence number.
            giveUpAll(into: &pieces)
            next += lost
            pieces.append(.missing(lost))
        }
        let offset = position(of: sequence, from: start)
        if isFinal, offset + Int64(length) >= 0 { end = max(end ?? 0, UInt64(offset + Int64(length))) }
        if offset <= Int64(clamping: next) {
            deliver(bytes, length: length, from: offset, into: &pieces)
            drain(into: &pieces)
        } else {
            hold(bytes, length: length, at: UInt64(offset), time: time)
            while heldCost > limits.heldInFlow { giveUpOne(into: &pieces) }
        }
    }

    /// The receiver acknowledges up to a sequence number.
    mutating func acknowledge(_ sequence: UInt32) {
        guard let base else { return }
        let offset = position(of: sequence, from: base)
        if offset > 0 { acknowledged = max(acknowledged, UInt64(offset)) }
    }

    /// Gives up what has been missing for too long.
    mutating func review(at time: Int64, _ limits: ReassemblyLimits, into pieces: inout [Piece]) {
        while let first = held.first {
            let waited = time.subtractingReportingOverflow(first.time)
            let patience = acknowledged > next ? limits.acknowledgedPatience : limits.patience
            guard !waited.overflow, waited.partialValue >= patience else { return }
            giveUpOne(into: &pieces)
        }
    }

    /// Gives up the first of what is missing.
    mutating func giveUpOne(into pieces: inout [Piece]) {
        guard let first = held.first else { return }
        if first.offset > next {
            pieces.append(.missing(first.offset - next))
            next = first.offset
        }
        drain(into: &pieces)
    }

    /// Gives up all that is missing: nothing more comes.
    mutating func giveUpAll(into pieces: inout [Piece]) {
        while isWaiting { giveUpOne(into: &pieces) }
    }

    /// Nothing more comes: also what is missing before the FIN is given up.
    mutating func finish(into pieces: inout [Piece]) {
        giveUpAll(into: &pieces)
        if let end, end > next, end - next < 1 << 31 {
            pieces.append(.missing(end - next))
            next = end
        }
    }

    // MARK: Positions

    /// The offset that lies nearest to what comes next; below zero for what was before the flow's start.
    private func position(of sequence: UInt32, from base: UInt32) -> Int64 {
        let expected = base &+ UInt32(truncatingIfNeeded: next)
        return Int64(clamping: next) + Int64(Int32(bitPattern: sequence &- expected))
    }

    // MARK: In order

    /// Takes bytes that start at or before what comes next.
    private mutating func deliver(
        _ bytes: ArraySlice<UInt8>, length: Int, from offset: Int64, into pieces: inout [Piece]
    ) {
        let (old, overflow) = Int64(clamping: next).subtractingReportingOverflow(offset)
        guard !overflow, old < Int64(length) else { return }
        let new = bytes.dropFirst(Int(old))
        if !new.isEmpty { pieces.append(.bytes(new)) }
        // The capture may have kept less than the segment had.
        let cut = length - Int(old) - new.count
        if cut > 0 { pieces.append(.missing(UInt64(cut))) }
        next += UInt64(length) - UInt64(old)
    }

    /// Takes what waited for this.
    private mutating func drain(into pieces: inout [Piece]) {
        var taken = 0
        while taken < held.count, held[taken].offset <= next {
            let segment = held[taken]
            deliver(segment.bytes[...], length: segment.length, from: Int64(clamping: segment.offset), into: &pieces)
            heldCost -= segment.bytes.count
            taken += 1
        }
        heldCost -= taken * Self.heldOverhead
        held.removeFirst(taken)
    }

    // MARK: Early

    /// What a held segment costs beside its bytes.
    private static let heldOverhead = 64

    private mutating func hold(
        _ bytes: ArraySlice<UInt8>, length: Int, at offset: UInt64, time: Int64
    ) {
        guard length > 0 else { return }
        // Segments come nearly in order: the place is near the end.
        var place = held.count
        while place > 0, held[place - 1].offset > offset { place -= 1 }
        // A copy of what waits already.
        if place > 0, held[place - 1].end >= offset + UInt64(length), held[place - 1].bytes.count >= bytes.count {
            return
        }
        held.insert(
            Held(offset: offset, bytes: Array(bytes), length: length, time: time), at: place)
        heldCost += bytes.count + Self.heldOverhead
    }
}
