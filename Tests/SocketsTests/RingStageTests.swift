import Sockets
import TestSupport
import Testing

private final class Note: Sendable {
    let number: Int

    init(_ number: Int) {
        self.number = number
    }
}

private typealias Ring = ByteRing<UInt64, Note>
private typealias Stage = RingStage<UInt64, Note>

private func bytes(_ count: Int, _ seed: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ seed) }
}

/// Stages a record without bytes.
private func add(_ number: UInt64, to stage: Stage, note: Note? = nil) -> Bool {
    stage.append(number, RawSpan(), attachment: note, room: 200)
}

struct RingStageTests {
    @Test func stagedRecords_areConsumedInOrder_andNotBeforeTheFlush() throws {
        let ring = try Ring(capacity: 1 << 16)
        let stage = Stage(ring: ring, capacity: 2048)
        #expect(!add(0, to: stage), "nothing is promised yet")
        #expect(stage.flush() == .appended)
        var random = SeededRandom(seed: 3)
        var (sent, received) = (0, 0)
        for _ in 0..<3000 {
            let piece = bytes(Int.random(in: 0...500, using: &random), sent)
            let note = sent % 5 == 0 ? Note(sent) : nil
            if stage.append(UInt64(sent), piece.span.bytes, attachment: note, room: note == nil ? 0 : 100) { sent += 1 }
            let isFlushed = Int.random(in: 0..<3, using: &random) == 0
            if isFlushed { _ = stage.flush() }
            let before = received
            _ = ring.consume { header, span, note in
                #expect(header == UInt64(received))
                #expect(Array(copying: span) == bytes(span.byteCount, received))
                #expect(note?.number == (received % 5 == 0 ? received : nil))
                received += 1
                return true
            }
            #expect(isFlushed ? received == sent : received == before)
        }
        #expect(sent > 1000)
        _ = stage.flush()
        #expect(!stage.giveBack())
    }

    @Test func stagedRecords_haveRoom_howeverFullTheRingIs() throws {
        let ring = try Ring(capacity: 1 << 15)
        var random = SeededRandom(seed: 5)
        let stages = (0..<3).map { _ in Stage(ring: ring, capacity: 1024) }
        for stage in stages { _ = stage.flush() }
        var (gathered, came) = (0, 0)
        for round in 0..<2000 {
            let stage = stages[round % 3]
            while stage.append(1, bytes(Int.random(in: 0...200, using: &random), round).span.bytes) {
                gathered += 1
                if Bool.random(using: &random) { break }
            }
            // Another producer fills the rest.
            while ring.append(2, bytes(Int.random(in: 0...2000, using: &random), round).span.bytes) != .full {}
            if Bool.random(using: &random) { _ = stage.flush() }
            _ = ring.consume { header, _, _ in
                guard Int.random(in: 0..<12, using: &random) > 0 else { return false }
                if header == 1 { came += 1 }
                return true
            }
        }
        for stage in stages { _ = stage.flush() }
        _ = ring.consume { header, _, _ in
            if header == 1 { came += 1 }
            return true
        }
        #expect(gathered > 1000)
        #expect(came == gathered)
        for stage in stages { _ = stage.giveBack() }
    }

    @Test func aFullRing_promisesNothing_untilThereIsRoom() throws {
        let ring = try Ring(capacity: 1 << 16)
        let stage = Stage(ring: ring, capacity: 4096)
        while ring.append(0, bytes(300, 0).span.bytes) != .full {}
        _ = stage.flush()
        #expect(!add(1, to: stage))
        _ = ring.consume { _, _, _ in true }
        #expect(!add(1, to: stage), "it has not asked since")
        _ = stage.flush()
        #expect(add(1, to: stage))
        _ = stage.flush()
        #expect(!stage.giveBack())
    }

    @Test func waitingProducer_isNotified_whenAStageReleasesItsReservation() throws {
        let ring = try Ring(capacity: 1 << 16)
        let stage = Stage(ring: ring, capacity: 8000)
        _ = stage.flush()
        #expect(ring.reserve(60_000) == 0)
        #expect(stage.giveBack())
    }

    @Test func aSleepingConsumer_isWokenByTheFlush() throws {
        let ring = try Ring(capacity: 1 << 16)
        let stage = Stage(ring: ring, capacity: 4096)
        _ = stage.flush()
        #expect(ring.rest(.sleep))
        #expect(add(0, to: stage))
        #expect(stage.flush() == .appendedToSleeper)
        #expect(stage.flush() == .appended, "nothing came")
        _ = stage.giveBack()
    }

    @Test func attachmentsOfUnconsumedRecords_areReleased() throws {
        weak var note: Note?
        do {
            let ring = try Ring(capacity: 1 << 16)
            let stage = Stage(ring: ring, capacity: 4096)
            _ = stage.flush()
            let one = Note(1)
            note = one
            #expect(add(0, to: stage, note: one))
            _ = stage.flush()
            _ = stage.giveBack()
        }
        #expect(note == nil)
    }
}
