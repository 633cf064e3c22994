import Testing

@testable import Recording

/// Segments put in order: what comes, what is missing.
struct FlowAssemblerTests {
    /// What comes of segments of a flow with the base given; gaps as `<12>`, the flow's end as `.`.
    private static func assemble(
        _ segments: [(Int64, String)], base: UInt32 = 1000, end: Int64? = nil,
        limits: ReassemblyLimits = ReassemblyLimits()
    ) -> String {
        var flow = FlowAssembler()
        flow.start(afterSYN: base &- 1)
        var pieces: [FlowAssembler.Piece] = []
        for (place, (offset, text)) in segments.enumerated() {
            flow.take(
                Array(text.utf8)[...], length: text.utf8.count, sequence: base &+ UInt32(truncatingIfNeeded: offset),
                isFinal: offset + Int64(text.utf8.count) == end, lost: 0, time: Int64(place), limits: limits,
                into: &pieces)
        }
        let hasEnded = flow.hasEnded
        flow.finish(into: &pieces)
        #expect(flow.heldCost == 0)
        return text(pieces) + (hasEnded ? "." : "")
    }

    private static func text(_ pieces: [FlowAssembler.Piece]) -> String {
        pieces.map { piece in
            switch piece {
            case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
            case .missing(let count): "<\(count)>"
            }
        }.joined()
    }

    @Test(
        arguments: [
            ([(0, "ab"), (2, "cd")], "abcd"),
            // Again, whole and in part.
            ([(0, "ab"), (0, "ab"), (2, "cd"), (0, "abcd")], "abcd"),
            ([(0, "abcd"), (2, "cdef")], "abcdef"),
            ([(0, "abcd"), (1, "bc"), (4, "e")], "abcde"),
            // The first copy counts.
            ([(0, "abcd"), (2, "XYef")], "abcdef"),
            // Out of order.
            ([(2, "cd"), (0, "ab")], "abcd"),
            ([(4, "ef"), (2, "cd"), (0, "ab")], "abcdef"),
            ([(4, "ef"), (2, "cd"), (0, "abcdef"), (6, "gh")], "abcdefgh"),
            ([(3, "d"), (3, "def"), (1, "bc"), (2, "c"), (0, "a")], "abcdef"),
            ([(6, "g"), (2, "cdefgh"), (0, "ab")], "abcdefgh"),
            // Missing for ever.
            ([(0, "ab"), (5, "fg")], "ab<3>fg"),
            ([(5, "fg"), (9, "jk")], "<5>fg<2>jk"),
            ([(5, "fg"), (6, "gh"), (5, "f")], "<5>fgh"),
            // Before the start: a keep-alive's byte, and what nobody can place.
            ([(-1, "x"), (0, "ab"), (1, ""), (-5, "vwxyzabc")], "abc"),
        ] as [([(Int64, String)], String)])
    func segments_inAnyOrder_giveTheStream(segments: [(Int64, String)], expected: String) {
        // Wherever the sequence numbers wrap.
        for base in [0, 1000, .max, .max - 1, .max - 3, 0x7FFF_FFFE, 0x8000_0000] as [UInt32] {
            #expect(Self.assemble(segments, base: base) == expected, "base \(base)")
        }
    }

    @Test func longStream_overTheWrapTwice_keepsItsOrder() {
        var flow = FlowAssembler()
        flow.start(afterSYN: 77)
        var pieces: [FlowAssembler.Piece] = []
        let block = [UInt8](repeating: 7, count: 1 << 20)
        var sequence: UInt32 = 78
        for _ in 0..<8193 {
            flow.take(
                block[...], length: block.count, sequence: sequence, isFinal: false, lost: 0, time: 0,
                limits: ReassemblyLimits(), into: &pieces)
            sequence &+= UInt32(block.count)
            guard case .bytes(let bytes) = pieces.first, bytes.count == block.count, pieces.count == 1 else {
                Issue.record("\(flow.next)")
                return
            }
            pieces.removeAll()
        }
        #expect(flow.next == 8193 << 20)
    }

    @Test(
        arguments: [
            ([(0, "ab"), (2, "cd")], 4, "abcd."),
            ([(2, "cd"), (0, "ab")], 4, "abcd."),
            // The FIN came, and what is before it did not.
            ([(0, "ab"), (4, "ef")], 6, "ab<2>ef"),
            ([(0, "ab")], 9, "ab"),
        ] as [([(Int64, String)], Int64, String)])
    func end_countsWhenAllBeforeItHasCome(segments: [(Int64, String)], end: Int64, expected: String) {
        #expect(Self.assemble(segments, end: end) == expected)
    }

    @Test func finAlone_afterAHole_tellsHowMuchIsMissing() {
        var flow = FlowAssembler()
        flow.start(afterSYN: 0)
        var pieces: [FlowAssembler.Piece] = []
        flow.take(
            [], length: 0, sequence: 301, isFinal: true, lost: 0, time: 0, limits: ReassemblyLimits(), into: &pieces)
        #expect(!flow.hasEnded && pieces.isEmpty)
        flow.finish(into: &pieces)
        #expect(Self.text(pieces) == "<300>")
        #expect(flow.hasEnded)
    }

    @Test func heldBytes_pastTheLimit_makeAGapAndGoOn() {
        var limits = ReassemblyLimits()
        limits.heldInFlow = 1000
        let tail = (0..<20).map { (Int64(100 + $0 * 50), String(repeating: "x", count: 50)) }
        let result = Self.assemble([(0, "start")] + tail, limits: limits)
        #expect(result == "start<95>" + String(repeating: "x", count: 1000))
    }

    @Test func heldCost_neverPassesTheLimit() {
        var limits = ReassemblyLimits()
        limits.heldInFlow = 1000
        var flow = FlowAssembler()
        flow.start(afterSYN: 0)
        var pieces: [FlowAssembler.Piece] = []
        // Every second byte: nothing of it ever joins.
        for place in 0..<5000 {
            flow.take(
                [1], length: 1, sequence: UInt32(3 + place * 2), isFinal: false, lost: 0, time: 0, limits: limits,
                into: &pieces)
            #expect(flow.heldCost <= 1000)
        }
        #expect(pieces.count > 9000)
    }

    @Test func captureThatCutsPackets_tellsWhatItCut() {
        var flow = FlowAssembler()
        flow.start(afterSYN: 0)
        var pieces: [FlowAssembler.Piece] = []
        for (sequence, text) in [(11, "klmno"), (1, "abcde"), (21, "uvwxy")] as [(UInt32, String)] {
            flow.take(
                Array(text.utf8)[...], length: 10, sequence: sequence, isFinal: false, lost: 0, time: 0,
                limits: ReassemblyLimits(), into: &pieces)
        }
        #expect(Self.text(pieces) == "abcde<5>klmno<5>uvwxy<5>")
    }

    @Test func bytesThatWereNotRecorded_areToldAtOnceAndToTheByte() {
        var flow = FlowAssembler()
        flow.start(afterSYN: 0)
        var pieces: [FlowAssembler.Piece] = []
        // More than 32 bits can say, and the sequence number stands where it stood.
        flow.take(
            [65], length: 1, sequence: 1, isFinal: false, lost: 3 << 32, time: 0, limits: ReassemblyLimits(),
            into: &pieces)
        #expect(Self.text(pieces) == "<\(3 << 32 as UInt64)>A")
        #expect(flow.next == 3 << 32 + 1)
    }

    @Test func absurdLoss_isNotBelieved() {
        var flow = FlowAssembler()
        flow.start(afterSYN: 0)
        var pieces: [FlowAssembler.Piece] = []
        for lost in [UInt64.max, 1 << 62, 1 << 61, 1 << 61, 1 << 61, 1 << 61, 1 << 61] {
            flow.take(
                [65], length: 1, sequence: 0, isFinal: true, lost: lost, time: 0, limits: ReassemblyLimits(),
                into: &pieces)
        }
        #expect(flow.next < 1 << 63)
    }

    @Test(arguments: [(true, Int64(1_000_000_000)), (false, 30_000_000_000)])
    func whatIsMissing_isGivenUpSoonerOnceAcknowledged(isAcknowledged: Bool, patience: Int64) {
        var flow = FlowAssembler()
        flow.start(afterSYN: 0)
        var pieces: [FlowAssembler.Piece] = []
        let limits = ReassemblyLimits()
        flow.take(
            [66], length: 1, sequence: 11, isFinal: false, lost: 0, time: 0, limits: limits, into: &pieces)
        if isAcknowledged { flow.acknowledge(12) }
        flow.review(at: patience - 1, limits, into: &pieces)
        #expect(pieces.isEmpty)
        flow.review(at: patience, limits, into: &pieces)
        #expect(Self.text(pieces) == "<10>B")
    }
}
