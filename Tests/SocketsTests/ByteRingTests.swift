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

private func bytes(_ count: Int, _ seed: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ seed) }
}

struct ByteRingTests {
    @Test func records_comeOutInOrder_withTheirBytesAndNotes_overManyLaps() throws {
        let ring = try Ring(capacity: 8192)
        var random = SeededRandom(seed: 7)
        var sent: [(UInt64, [UInt8], Int?)] = []
        var received = 0
        var number = 0
        while number < 5000 {
            let wanted = Int.random(in: 1...6, using: &random)
            for _ in 0..<wanted {
                let piece = bytes(Int.random(in: 0...ring.largestPayload, using: &random), number)
                let note = number % 7 == 0 ? Note(number) : nil
                guard ring.append(UInt64(number), piece.span.bytes, attachment: note) != .full else { break }
                sent.append((UInt64(number), piece, note?.number))
                number += 1
            }
            _ = ring.consume { header, span, note in
                let (wantedHeader, wantedBytes, wantedNote) = sent[received]
                #expect(header == wantedHeader)
                #expect(Array(copying: span) == wantedBytes)
                #expect(note?.number == wantedNote)
                received += 1
                return true
            }
            #expect(received == sent.count)
            #expect(ring.used == 0)
        }
    }

    @Test func aConsumerThatStops_findsTheSameRecordAgain() throws {
        let ring = try Ring(capacity: 4096)
        for number in 0..<5 { _ = ring.append(UInt64(number), bytes(10, number).span.bytes) }
        var seen: [UInt64] = []
        _ = ring.consume { header, _, _ in
            guard header < 2 else { return false }
            seen.append(header)
            return true
        }
        #expect(seen == [0, 1])
        _ = ring.consume { header, _, _ in
            seen.append(header)
            return true
        }
        #expect(seen == [0, 1, 2, 3, 4])
    }

    @Test func fullRing_refuses_andAppendsAlways_afterTheOthers() throws {
        let ring = try Ring(capacity: 4096)
        var count: UInt64 = 0
        while ring.append(count, bytes(200, 0).span.bytes) != .full { count += 1 }
        #expect(count >= 10)
        #expect(ring.append(99, bytes(200, 0).span.bytes) == .full)
        #expect(ring.appendAlways(1000, attachment: Note(1)) != .full)
        #expect(ring.appendAlways(1001, attachment: nil) != .full)
        var seen: [UInt64] = []
        // Stopping also works among the records without room.
        _ = ring.consume { header, _, note in
            if header == 1000 { #expect(note?.number == 1) }
            guard header != 1001 else { return false }
            seen.append(header)
            return true
        }
        #expect(seen == Array(0..<count) + [1000])
        seen = []
        _ = ring.consume { header, _, _ in
            seen.append(header)
            return true
        }
        #expect(seen == [1001])
    }

    @Test func reservedRoom_isNeverRefused_norGivenToOthers() throws {
        let ring = try Ring(capacity: 1 << 16)
        var random = SeededRandom(seed: 11)
        let size = Ring.size(ofPayload: ring.largestPayload)
        for round in 0..<2000 {
            let pieces = Int.random(in: 1...2, using: &random)
            if ring.reserve(pieces * size) > 0 {
                // Another producer fills the rest.
                while ring.append(1, bytes(Int.random(in: 0...300, using: &random), round).span.bytes) != .full {}
                for piece in 0..<pieces {
                    let outcome = ring.append(
                        2, bytes(ring.largestPayload, piece).span.bytes, reserved: size)
                    #expect(outcome != .full, "round \(round)")
                }
            }
            _ = ring.consume { _, _, _ in Bool.random(using: &random) || Bool.random(using: &random) }
        }
    }

    @Test func refusedReservation_isNotifiedOfRoom_once() throws {
        let ring = try Ring(capacity: 1 << 16)
        while ring.append(0, bytes(1000, 0).span.bytes) != .full {}
        #expect(ring.reserve(4096) == 0)
        #expect(ring.consume { _, _, _ in true })
        #expect(ring.reserve(4096) == 4096)
        #expect(!ring.unreserve(4096))
        #expect(!ring.consume { _, _, _ in true })
    }

    @Test func refusedReservation_isNotified_whenOtherReservationsAreReleased() throws {
        let ring = try Ring(capacity: 1 << 16)
        #expect(ring.reserve(40_000) == 40_000)
        #expect(ring.reserve(30_000) == 0)
        // Without records the consumer cannot report room.
        #expect(!ring.consume { _, _, _ in true })
        #expect(ring.unreserve(40_000))
        #expect(ring.reserve(30_000) == 30_000)
        #expect(!ring.unreserve(30_000), "the waiting producer was already notified")
    }

    @Test func recordsWithoutRoom_stayInOrder_howeverOftenTheyAreRefused() throws {
        let ring = try Ring(capacity: 4096)
        while ring.append(0, bytes(300, 0).span.bytes) != .full {}
        for number in 1...500 { _ = ring.appendAlways(UInt64(number), attachment: nil) }
        _ = ring.consume { header, _, _ in header == 0 }
        var seen: [UInt64] = []
        for round in 1...200 where seen.count < 500 {
            // Consumes none at first, then a few at a time, while more are added.
            var left = round % 7
            _ = ring.consume { header, _, _ in
                guard left > 0 else { return false }
                left -= 1
                seen.append(header)
                return true
            }
            if round == 50 { for number in 501...600 { _ = ring.appendAlways(UInt64(number), attachment: nil) } }
        }
        _ = ring.consume { header, _, _ in
            seen.append(header)
            return true
        }
        // Records with room come before those without.
        #expect(seen.filter { $0 <= 500 } == Array(1...500))
        #expect(seen.filter { $0 > 500 } == Array(501...600))
        #expect(ring.rest(.sleep))
    }

    @Test func theConsumer_isWokenFromSleepByAnything_andFromANapByAQuarter() throws {
        let ring = try Ring(capacity: 1 << 16)
        #expect(ring.rest(.sleep))
        #expect(ring.append(0, RawSpan()) == .appendedToSleeper)
        #expect(ring.append(0, RawSpan()) == .appended, "it is awake")
        #expect(!ring.rest(.sleep), "there is something")
        #expect(ring.rest(.nap))
        #expect(ring.append(0, RawSpan()) == .appended)
        var woken = 0
        while ring.used < ring.capacity / 2 {
            if ring.append(0, bytes(1000, 0).span.bytes) == .appendedToSleeper { woken += 1 }
        }
        #expect(woken == 1)
    }

    @Test func attachmentsOfUnconsumedRecords_areReleased() throws {
        weak var note: Note?
        weak var late: Note?
        do {
            let ring = try Ring(capacity: 4096)
            let one = Note(1)
            note = one
            _ = ring.append(0, RawSpan(), attachment: one)
            while ring.append(0, bytes(300, 0).span.bytes) != .full {}
            let two = Note(2)
            late = two
            _ = ring.appendAlways(1, attachment: two, room: 512)
        }
        #expect(note == nil)
        #expect(late == nil)
    }

    @Test func manyThreads_loseNothing_andEachStaysInOrder() throws {
        let ring = try Ring(capacity: 1 << 15)
        let each: UInt64 = 20_000
        let writers = try (0..<3).map { writer in
            try Background("writer \(writer)") {
                let piece = bytes(64, writer)
                var number: UInt64 = 0
                let deadline = Deadline()
                while number < each {
                    if ring.append(UInt64(writer) << 32 | number, piece.span.bytes) != .full {
                        number += 1
                    } else if deadline.isOver {
                        throw TestFailure("the ring stays full")
                    }
                }
            }
        }
        var next: [UInt64] = [0, 0, 0]
        let deadline = Deadline()
        while next != [each, each, each], !deadline.isOver {
            _ = ring.consume { header, span, _ in
                let writer = Int(header >> 32)
                #expect(header & 0xFFFF_FFFF == next[writer])
                if header % 1000 == 0 { #expect(Array(copying: span) == bytes(64, writer)) }
                next[writer] += 1
                return true
            }
        }
        #expect(next == [each, each, each])
        for writer in writers { try writer.value() }
    }
}
