import EventLoop
import Sockets
import TestSupport
import Testing

@testable import Recorder

@Suite struct RingProducerTests {
    private final class Calls {
        var wakes = 0
        var rooms = 0
    }

    private static func producer(
        _ ring: TapRing, isWhole: Bool = false, loop: EventLoop, calls: Calls = Calls()
    ) -> RingProducer {
        RingProducer(
            ring: ring, isWhole: isWhole, workers: 1, ordinaryRead: 32 << 10, loop: loop,
            hooks: RingProducer.Hooks(wake: { calls.wakes += 1 }, hasRoom: { calls.rooms += 1 }))
    }

    private static func event(_ number: UInt64) -> TapEvent { TapEvent(kind: .data, connection: number, ticks: 0) }

    /// Appends an event with this number of bytes.
    private static func append(_ number: UInt64, _ count: Int, to producer: RingProducer) -> Bool {
        producer.append(
            event(number), [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: count).span.bytes, nil)
    }

    /// Consumes the ring's events; returns their numbers.
    private static func take(_ ring: TapRing) -> [UInt64] {
        var numbers: [UInt64] = []
        _ = ring.consume { event, bytes, _ in
            #expect(Array(copying: bytes).allSatisfy { $0 == UInt8(truncatingIfNeeded: event.connection) })
            numbers.append(event.connection)
            return true
        }
        return numbers
    }

    @Test(arguments: [false, true])
    func smallEventsOfATurn_areInTheRingWhenItEnds_andWakeOnce(isWhole: Bool) async throws {
        try await LoopHarness.run { harness in
            let ring = try TapRing(capacity: 16 << 20)
            let calls = Calls()
            let producer = Self.producer(ring, isWhole: isWhole, loop: harness.loop, calls: calls)
            for turn in UInt64(0)..<3 {
                #expect(ring.rest(.sleep))
                for number in 0..<50 { #expect(Self.append(turn * 50 + UInt64(number), 64, to: producer)) }
                #expect(Self.take(ring) == [])
                #expect(calls.wakes == turn)
                harness.loop.turn(wait: false)
                #expect(Self.take(ring) == Array(turn * 50..<turn * 50 + 50))
                #expect(calls.wakes == turn + 1)
            }
        }
    }

    @Test func manySmallEvents_ofOneTurn_comeAlong_inOrder() async throws {
        try await LoopHarness.run { harness in
            let ring = try TapRing(capacity: 16 << 20)
            let producer = Self.producer(ring, loop: harness.loop)
            for number in UInt64(0)..<5000 { #expect(Self.append(number, 64, to: producer)) }
            #expect(ring.used > 400_000, "staged events are flushed before the end of a long turn")
            harness.loop.turn(wait: false)
            #expect(Self.take(ring) == Array(0..<5000))
        }
    }

    @Test func aLargeEvent_comesAfterTheSmallOnesBeforeIt() async throws {
        try await LoopHarness.run { harness in
            let ring = try TapRing(capacity: 16 << 20)
            let producer = Self.producer(ring, loop: harness.loop)
            let sizes = [64, 1024, 1025, 0, 60_000, 64, 2000, 2000, 1]
            for (number, size) in sizes.enumerated() { #expect(Self.append(UInt64(number), size, to: producer)) }
            #expect(Self.take(ring) == [0, 1, 2, 3, 4, 5, 6, 7])
            harness.loop.turn(wait: false)
            #expect(Self.take(ring) == [8])
        }
    }

    @Test func theLastEvent_isThereAtOnce_withAllBeforeIt() async throws {
        try await LoopHarness.run { harness in
            let ring = try TapRing(capacity: 16 << 20)
            let producer = Self.producer(ring, loop: harness.loop)
            for number in UInt64(0)..<5 { #expect(Self.append(number, 64, to: producer)) }
            producer.appendLast(TapEvent(kind: .stopped, connection: 5, ticks: 0), TapNote(.stopped, TapAccount()))
            // The recorder ends as soon as no connection is recorded any more and the ring is empty.
            #expect(Self.take(ring) == Array(0...5))
        }
    }

    @Test func theLastEvent_isInItsPlace_alsoWhenTheRingIsFull() async throws {
        try await LoopHarness.run { harness in
            let ring = try TapRing(capacity: 16 << 20)
            let producer = Self.producer(ring, loop: harness.loop)
            #expect(Self.append(0, 64, to: producer))
            // Other producers leave it only its reservation.
            while ring.append(Self.event(1), [UInt8](repeating: 1, count: 60_000).span.bytes) != .full {}
            while ring.append(Self.event(1), RawSpan()) != .full {}
            producer.appendLast(TapEvent(kind: .stopped, connection: 2, ticks: 0), TapNote(.stopped, TapAccount()))
            _ = ring.consume { event, _, _ in event.kind != .stopped }
            #expect(ring.used == TapRing.size(ofPayload: Recorder.roomOfNote))
        }
    }

    @Test func releaseInTheMiddleOfATurn_losesNothing_andTheNextEventIsTaken() async throws {
        try await LoopHarness.run { harness in
            let ring = try TapRing(capacity: 16 << 20)
            let producer = Self.producer(ring, isWhole: true, loop: harness.loop)
            #expect(Self.append(0, 64, to: producer))
            producer.releaseReservation()
            #expect(Self.take(ring) == [0])
            // A connection that was recorded continues to be recorded.
            #expect(Self.append(1, 64, to: producer))
            harness.loop.turn(wait: false)
            #expect(Self.take(ring) == [1])
        }
    }

    @Test func aFullRing_refusesOne_andWhatItTookIsThere() async throws {
        try await LoopHarness.run { harness in
            let ring = try TapRing(capacity: 4 << 20)
            let producer = Self.producer(ring, loop: harness.loop)
            var taken: UInt64 = 0
            while Self.append(taken, 64, to: producer) { taken += 1 }
            #expect(ring.used > ring.capacity * 7 / 8 - 2 * TapRing.size(ofPayload: ring.largestPayload))
            #expect(!Self.append(99, 64, to: producer))
            harness.loop.turn(wait: false)
            #expect(Self.take(ring) == Array(0..<taken))
            #expect(Self.append(taken, 64, to: producer), "there is room again")
            harness.loop.turn(wait: false)
            #expect(Self.take(ring) == [taken])
        }
    }

    @Test func aSmallRing_takesEveryEventAtOnce_andIsUsedToItsEnd() async throws {
        try await LoopHarness.run { harness in
            let ring = try TapRing(capacity: 256 << 10)
            let producer = Self.producer(ring, loop: harness.loop)
            #expect(Self.append(0, 64, to: producer))
            #expect(Self.take(ring) == [0])
            while Self.append(0, 64, to: producer) {}
            #expect(ring.used > ring.capacity - TapRing.size(ofPayload: 64))
        }
    }

    @Test func underBlock_whatRoomWasMadeSureOf_isTaken_thoughOthersFillTheRing() async throws {
        try await LoopHarness.run { harness in
            let ring = try TapRing(capacity: 4 << 20)
            let producer = Self.producer(ring, isWhole: true, loop: harness.loop)
            let other = Self.producer(ring, loop: harness.loop)
            let room = try #require(producer.room)
            #expect(room.reserve(room.mostAtOnce))
            while Self.append(1, 4000, to: other) {}
            while Self.append(1, 64, to: other) {}
            var left = room.mostAtOnce
            var sizes = [64, 20_000, 500].makeIterator()
            while left > 0 {
                let count = min(left, sizes.next() ?? 60_000, producer.largestEvent)
                #expect(Self.append(2, count, to: producer))
                left -= count
            }
            producer.releaseUnused()
            harness.loop.turn(wait: false)
            #expect(Self.take(ring).filter { $0 == 2 }.count >= 4)
        }
    }

    @Test func whatItWasPromised_isGivenBack_andTheWaitingOneIsNotified() async throws {
        try await LoopHarness.run { harness in
            let ring = try TapRing(capacity: 4 << 20)
            let calls = Calls()
            do {
                let producer = Self.producer(ring, isWhole: true, loop: harness.loop, calls: calls)
                #expect(producer.room?.reserve(1000) == true)
                #expect(Self.append(1, 64, to: producer))
                harness.loop.turn(wait: false)
                #expect(Self.take(ring) == [1])
                let all = ring.capacity - TapRing.size(ofPayload: ring.largestPayload)
                #expect(ring.reserve(all) == 0)
                #expect(calls.rooms == 0)
            }
            #expect(calls.rooms == 1)
            #expect(ring.reserve(ring.capacity - TapRing.size(ofPayload: ring.largestPayload)) > 0)
        }
    }
}
