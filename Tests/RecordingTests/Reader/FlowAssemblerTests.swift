import Testing

@testable import Recording

/// Reassembly of segments, and gaps.
struct FlowAssemblerTests {
    /// The result for segments of a flow with the given base; gaps as `<12>`, the flow's end as `.`.
    private static func assemble(
        _ segments: [(Int64, String)], base: UInt32 = 1000, end: Int64? = nil,
        limits: ReassemblyLimits = ReassemblyLimits()
    ) -> String {
        var flow = FlowAssembler()
        flow.start(afterSYN: base &- 1)
        var pieces: [FlowAssembler.Piece] = []
        for (place, (offset, text)) in segments.enumerated() {
            flow.add(
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
            case .skipped(let cause, let count): "[\(count) \(cause)]"
            }
        }.joined()
    }

    @Test(
        arguments: [
            ([(0, "ab"), (2, "cd")], "abcd"),
            // Repeated in full and in part.
            ([(0, "ab"), (0, "ab"), (2, "cd"), (0, "abcd")], "abcd"),
            ([(0, "abcd"), (2, "cdef")], "abcdef"),
            ([(0, "abcd"), (1, "bc"), (4, "e")], "abcde"),
            // The first copy is used.
            ([(0, "abcd"), (2, "XYef")], "abcdef"),
            // Out of order.
            ([(2, "cd"), (0, "ab")], "abcd"),
            ([(4, "ef"), (2, "cd"), (0, "ab")], "abcdef"),
            ([(4, "ef"), (2, "cd"), (0, "abcdef"), (6, "gh")], "abcdefgh"),
            ([(3, "d"), (3, "def"), (1, "bc"), (2, "c"), (0, "a")], "abcdef"),
            ([(6, "g"), (2, "cdefgh"), (0, "ab")], "abcdefgh"),
            // Missing, and never sent again.
            ([(0, "ab"), (5, "fg")], "ab<3>fg"),
            ([(5, "fg"), (9, "jk")], "<5>fg<2>jk"),
            ([(5, "fg"), (6, "gh"), (5, "f")], "<5>fgh"),
            // Before the start: a keep-alive's byte, and other bytes.
            ([(-1, "x"), (0, "ab"), (1, ""), (-5, "vwxyzabc")], "ab[5 beforeStart]c"),
        ] as [([(Int64, String)], String)])
    func segments_inAnyOrder_giveTheStream(segments: [(Int64, String)], expected: String) {
        // With various positions of the wraparound.
        for base in [0, 1000, .max, .max - 1, .max - 3, 0x7FFF_FFFE, 0x8000_0000] as [UInt32] {
            #expect(Self.assemble(segments, base: base) == expected, "base \(base)")
        }
    }

    /// Later copies are counted and not compared with the first.
    @Test(
        arguments: [
            ([(0, "abcd"), (2, "XYef")], 2),
            ([(0, "abcd"), (0, "WXYZ"), (4, "ef"), (1, "bc")], 6),
            // Copies of held segments count too, in full or by their overlap.
            ([(4, "ef"), (4, "XY"), (2, "cdXY"), (0, "ab")], 4),
            // Bytes before the first are skipped and counted elsewhere.
            ([(0, "ab"), (-5, "vwxyzab")], 2),
            // A keep-alive repeats the last byte or has any other.
            ([(0, "ab"), (1, "X"), (1, "b")], 0),
            ([(0, "ab"), (5, "f")], 0),
        ] as [([(Int64, String)], UInt64)])
    func bytesSentAgain_areCounted(segments: [(Int64, String)], repeated: UInt64) {
        var flow = FlowAssembler()
        flow.start(afterSYN: 0xFFFF_FFFE)
        var pieces: [FlowAssembler.Piece] = []
        for (offset, text) in segments {
            flow.add(
                Array(text.utf8)[...], length: text.utf8.count, sequence: .max &+ UInt32(truncatingIfNeeded: offset),
                isFinal: false, lost: 0, time: 0, limits: ReassemblyLimits(), into: &pieces)
        }
        flow.finish(into: &pieces)
        #expect(flow.repeated == repeated)
    }

    @Test func longStream_overTheWrapTwice_keepsItsOrder() {
        var flow = FlowAssembler()
        flow.start(afterSYN: 77)
        var pieces: [FlowAssembler.Piece] = []
        let block = [UInt8](repeating: 7, count: 1 << 20)
        var sequence: UInt32 = 78
        for _ in 0..<8193 {
            flow.add(
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
            // The FIN arrived, and bytes before it did not.
            ([(0, "ab"), (4, "ef")], 6, "ab<2>ef"),
            ([(0, "ab")], 9, "ab"),
        ] as [([(Int64, String)], Int64, String)])
    func end_countsWhenAllBeforeItHasCome(segments: [(Int64, String)], end: Int64, expected: String) {
        #expect(Self.assemble(segments, end: end) == expected)
    }

    @Test func finAlone_afterAGap_reportsTheMissingBytes() {
        var flow = FlowAssembler()
        flow.start(afterSYN: 0)
        var pieces: [FlowAssembler.Piece] = []
        flow.add(
            [], length: 0, sequence: 301, isFinal: true, lost: 0, time: 0, limits: ReassemblyLimits(), into: &pieces)
        #expect(!flow.hasEnded && pieces.isEmpty)
        flow.finish(into: &pieces)
        #expect(Self.text(pieces) == "<300>")
        #expect(flow.hasEnded)
    }

    @Test func heldBytes_pastTheLimit_makeAGapAndReadingContinues() {
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
        // Every second byte, so no segments are adjacent.
        for index in 0..<5000 {
            flow.add(
                [1], length: 1, sequence: UInt32(3 + index * 2), isFinal: false, lost: 0, time: 0, limits: limits,
                into: &pieces)
            #expect(flow.heldCost <= 1000)
        }
        #expect(pieces.count > 9000)
    }

    /// The work per segment must be bounded for malicious captures: segments of one byte after gaps of one, in
    /// ascending and descending order.
    @Test(arguments: [false, true], [false, true])
    func isolatedSegments_areMovedFewTimes(isDescending: Bool, isStray: Bool) {
        let count = 64_000
        var flow = FlowAssembler()
        flow.start(afterSYN: 0)
        var pieces: [FlowAssembler.Piece] = []
        let limits = ReassemblyLimits()
        for place in 0..<count {
            let number = isDescending ? count - place : place + 1
            flow.add(
                [7], length: 1, sequence: UInt32(1 + number * 2), isFinal: false, lost: 0, time: 0, limits: limits,
                into: &pieces)
        }
        #expect(pieces.isEmpty)
        if isStray {
            // The receiver has acknowledged only the first byte, and accepts none of these.
            flow.acknowledge(2, at: 0)
            flow.add(
                [7], length: 1, sequence: 1, isFinal: false, lost: 0, time: 0, limits: limits, into: &pieces)
            flow.window = 0
        }
        flow.finish(into: &pieces)
        #expect(flow.heldCost == 0)
        if isStray {
            #expect(pieces.count == count + 1)
        } else {
            #expect(pieces.count == 2 * count)
            #expect(flow.next == UInt64(2 * count + 1))
        }
        #expect(flow.heldMoves <= 4 * count)
    }

    @Test func captureThatCutsPackets_reportsTheMissingBytes() {
        var flow = FlowAssembler()
        flow.start(afterSYN: 0)
        var pieces: [FlowAssembler.Piece] = []
        for (sequence, text) in [(11, "klmno"), (1, "abcde"), (21, "uvwxy")] as [(UInt32, String)] {
            flow.add(
                Array(text.utf8)[...], length: 10, sequence: sequence, isFinal: false, lost: 0, time: 0,
                limits: ReassemblyLimits(), into: &pieces)
        }
        #expect(Self.text(pieces) == "abcde<5>klmno<5>uvwxy<5>")
    }

    @Test func bytesThatWereNotRecorded_areReportedAtOnceAndExactly() {
        var flow = FlowAssembler()
        flow.start(afterSYN: 0)
        var pieces: [FlowAssembler.Piece] = []
        // The loss exceeds 32 bits, and the sequence number is unchanged.
        flow.add(
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
            flow.add(
                [65], length: 1, sequence: 0, isFinal: true, lost: lost, time: 0, limits: ReassemblyLimits(),
                into: &pieces)
        }
        #expect(flow.next < 1 << 63)
    }

    /// No gap in a comment causes an overflow, and bytes after it are still shown.
    @Test func hugeLosses_neverOverflow_andBytesAreShown() {
        for losses in [[(1 << 62) - 1, (1 << 62) - 1], [1 << 61, 1 << 61, 1 << 61], [(1 << 62) - 2, 1, 1]] as [[UInt64]]
        {
            var flow = FlowAssembler()
            var pieces: [FlowAssembler.Piece] = []
            for (place, lost) in losses.enumerated() {
                flow.add(
                    [65], length: 1, sequence: 100 &+ UInt32(place), isFinal: true, lost: lost, time: .max,
                    limits: ReassemblyLimits(), into: &pieces)
                flow.acknowledge(.max, at: .min)
                flow.review(at: .max, ReassemblyLimits(), into: &pieces)
                _ = flow.admitsReset(.max, window: .max)
                _ = flow.newBytes(CaptureReader.longestBlock, at: 7)
            }
            flow.add(
                [66], length: CaptureReader.longestBlock, sequence: 0x7FFF_FFFF, isFinal: true, lost: 0, time: .min,
                limits: ReassemblyLimits(), into: &pieces)
            flow.finish(into: &pieces)
            #expect(Self.text(pieces).hasPrefix("<\(losses[0])>A"))
        }
    }

    @Test func holeHalfAcknowledged_onlyTheAcknowledgedHalfIsGivenUpSoon() {
        var flow = FlowAssembler()
        flow.start(afterSYN: 0)
        var pieces: [FlowAssembler.Piece] = []
        let limits = ReassemblyLimits()
        func take(_ text: String, at sequence: UInt32, _ time: Int64) {
            flow.add(
                Array(text.utf8)[...], length: text.utf8.count, sequence: sequence, isFinal: false, lost: 0, time: time,
                limits: limits, into: &pieces)
        }
        take("uvwxyz", at: 21, 0)
        flow.acknowledge(11, at: 1)
        flow.review(at: limits.acknowledgedPatience, limits, into: &pieces)
        #expect(pieces.isEmpty)
        // Each later acknowledgement has its own second.
        flow.acknowledge(16, at: limits.acknowledgedPatience)
        flow.review(at: limits.acknowledgedPatience + 1, limits, into: &pieces)
        #expect(Self.text(pieces) == "<10>")
        take("klmno", at: 11, limits.acknowledgedPatience + 2)
        take("pqrst", at: 16, limits.patience - 1)
        #expect(Self.text(pieces) == "<10>klmnopqrstuvwxyz")
    }

    @Test func patience_countsFromTheLastProgress() {
        var flow = FlowAssembler()
        flow.start(afterSYN: 0)
        var pieces: [FlowAssembler.Piece] = []
        let limits = ReassemblyLimits()
        func take(_ text: String, at sequence: UInt32, _ time: Int64) {
            flow.add(
                Array(text.utf8)[...], length: text.utf8.count, sequence: sequence, isFinal: false, lost: 0, time: time,
                limits: limits, into: &pieces)
            flow.review(at: time, limits, into: &pieces)
        }
        take("stray", at: 1_000_001, 0)
        for place in 0..<5 as Range<UInt32> { take("ab", at: 1 + place * 2, Int64(place + 1) * (limits.patience - 1)) }
        #expect(Self.text(pieces) == "ababababab")
        flow.review(at: 5 * (limits.patience - 1) + limits.patience, limits, into: &pieces)
        #expect(Self.text(pieces) == "ababababab<999990>stray")
    }

    @Test func segmentBehindTheFIN_isSkipped_andMakesNoGap() {
        var flow = FlowAssembler()
        flow.start(afterSYN: 0)
        var pieces: [FlowAssembler.Piece] = []
        for (sequence, text, isFinal) in [(1001, "stray", false), (1, "ab", true)] as [(UInt32, String, Bool)] {
            flow.add(
                Array(text.utf8)[...], length: text.utf8.count, sequence: sequence, isFinal: isFinal, lost: 0, time: 0,
                limits: ReassemblyLimits(), into: &pieces)
        }
        #expect(flow.hasEnded)
        flow.finish(into: &pieces)
        #expect(Self.text(pieces) == "ab[5 afterEnd]")
    }

    /// A flow that is idle for longer than `patience`, with a stray segment beyond the window.
    @Test func strayBeyondTheWindow_isSkipped_whereTheReceiverHasAllBeforeIt() {
        for (isAcknowledged, expected) in [(true, "ab[5 beyondWindow]cd"), (false, "ab<9998>stray")] {
            var flow = FlowAssembler()
            flow.start(afterSYN: 0)
            flow.window = 5000
            var pieces: [FlowAssembler.Piece] = []
            let limits = ReassemblyLimits()
            func take(_ text: String, at sequence: UInt32, _ time: Int64) {
                flow.add(
                    Array(text.utf8)[...], length: text.utf8.count, sequence: sequence, isFinal: false, lost: 0,
                    time: time, limits: limits, into: &pieces)
                flow.review(at: time, limits, into: &pieces)
            }
            take("ab", at: 1, 0)
            if isAcknowledged { flow.acknowledge(3, at: 0) }
            take("stray", at: 10_001, 1)
            flow.review(at: limits.patience + 1, limits, into: &pieces)
            take("cd", at: 3, limits.patience + 2)
            #expect(Self.text(pieces) == expected)
            flow.finish(into: &pieces)
            #expect(flow.heldCost == 0)
        }
    }

    @Test func firstSegments_inAnyOrder_startWhereTheReceiverExpects() {
        var flow = FlowAssembler()
        flow.acknowledge(1000, at: 0)
        var pieces: [FlowAssembler.Piece] = []
        for (sequence, text) in [(1004, "ef"), (1002, "cd"), (1000, "ab")] as [(UInt32, String)] {
            flow.add(
                Array(text.utf8)[...], length: 2, sequence: sequence, isFinal: false, lost: 0, time: 0,
                limits: ReassemblyLimits(), into: &pieces)
        }
        #expect(Self.text(pieces) == "abcdef")
    }

    @Test func farFIN_isReplacedByTheNearerOne() {
        var flow = FlowAssembler()
        flow.start(afterSYN: 0)
        var pieces: [FlowAssembler.Piece] = []
        for (sequence, text) in [(50_001, ""), (1, "ab")] as [(UInt32, String)] {
            flow.add(
                Array(text.utf8)[...], length: text.utf8.count, sequence: sequence, isFinal: true, lost: 0, time: 0,
                limits: ReassemblyLimits(), into: &pieces)
        }
        flow.finish(into: &pieces)
        #expect(flow.hasEnded && Self.text(pieces) == "ab")
    }

    @Test func bytesBeforeTheFirst_areSkippedByCount_keepAlivesAreNot() {
        var flow = FlowAssembler()
        var pieces: [FlowAssembler.Piece] = []
        for (sequence, text) in [(1000, "ab"), (999, "x"), (1001, "b"), (995, "vwxyzab")] as [(UInt32, String)] {
            flow.add(
                Array(text.utf8)[...], length: text.utf8.count, sequence: sequence, isFinal: false, lost: 0, time: 0,
                limits: ReassemblyLimits(), into: &pieces)
        }
        #expect(Self.text(pieces) == "ab[5 beforeStart]")
    }

    @Test(arguments: [(true, Int64(1_000_000_000)), (false, 30_000_000_000)])
    func missingBytes_areGivenUpSoonerOnceAcknowledged(isAcknowledged: Bool, patience: Int64) {
        var flow = FlowAssembler()
        flow.start(afterSYN: 0)
        var pieces: [FlowAssembler.Piece] = []
        let limits = ReassemblyLimits()
        flow.add(
            [66], length: 1, sequence: 11, isFinal: false, lost: 0, time: 0, limits: limits, into: &pieces)
        if isAcknowledged { flow.acknowledge(12, at: 0) }
        flow.review(at: patience - 1, limits, into: &pieces)
        #expect(pieces.isEmpty)
        flow.review(at: patience, limits, into: &pieces)
        #expect(Self.text(pieces) == "<10>B")
    }
}
