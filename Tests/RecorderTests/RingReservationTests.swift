import Sockets
import Testing

@testable import Recorder

@Suite struct RingReservationTests {
    private let data = TapEvent(kind: .data, connection: 1, ticks: 0)
    private static let message = TapRing.size(ofPayload: 64)

    /// Fills a ring with records of 1 KiB until it refuses; returns the number of bytes appended.
    private func fill(_ ring: TapRing) -> Int {
        let kilobyte = [UInt8](repeating: 1, count: 1024)
        while ring.append(data, kilobyte.span.bytes) != .full {}
        return ring.used
    }

    @Test func portion_isKeptBetweenEventsAndAskedForOnce() throws {
        let ring = try TapRing(capacity: 16 << 20)
        let room = RingReservation(ring: ring, workers: 2, ordinaryRead: 32 << 10)
        #expect(room.reserve(64))
        #expect(room.use(Self.message) == Self.message)
        #expect(!room.releaseUnused())
        // The reservation is refused to others.
        let taken = fill(ring)
        #expect(taken < ring.capacity - (512 << 10) + Self.message)
        // It serves the next events without another reservation, although the ring has no room left.
        for _ in 0..<1000 {
            #expect(room.reserve(64))
            let used = room.use(Self.message)
            #expect(used == Self.message)
            #expect(ring.append(data, [UInt8](repeating: 2, count: 64).span.bytes, reserved: used) == .appended)
        }
    }

    @Test func whatAllWorkersKeep_isAnEighthOfTheRingAtMost() throws {
        let ring = try TapRing(capacity: 16 << 20)
        let rooms = (0..<8).map { _ in RingReservation(ring: ring, workers: 8, ordinaryRead: 32 << 10) }
        for room in rooms {
            #expect(room.reserve(32 << 10))
            _ = room.releaseUnused()
        }
        // The length of two records is also kept free, because the end of the memory may have to be skipped.
        let slack = 3 * TapRing.size(ofPayload: ring.largestPayload)
        #expect(fill(ring) >= ring.capacity * 7 / 8 - slack)
    }

    @Test func smallRing_isAskedEveryTime_andGetsAllBack() throws {
        let ring = try TapRing(capacity: 256 << 10)
        let room = RingReservation(ring: ring, workers: 4, ordinaryRead: 32 << 10)
        #expect(room.reserve(16 << 10))
        #expect(room.use(Self.message) == Self.message)
        #expect(!room.releaseUnused(), "no worker waits for room")
        #expect(room.use(Self.message) == 0, "nothing is kept")
        #expect(room.reserve(ring.capacity), "more than the maximum cannot be reserved at once")
        _ = room.releaseUnused()
    }

    @Test func ringWithoutRoom_reservesNothing_andReportsAReleaseToAWaiter() throws {
        let ring = try TapRing(capacity: 1 << 20)
        let (one, other) = (
            RingReservation(ring: ring, workers: 2, ordinaryRead: 32 << 10),
            RingReservation(ring: ring, workers: 2, ordinaryRead: 32 << 10)
        )
        var rooms: [RingReservation] = []
        while rooms.count < 64 {
            let room = RingReservation(ring: ring, workers: 2, ordinaryRead: 32 << 10)
            guard room.reserve(room.mostAtOnce) else { break }
            rooms.append(room)
        }
        #expect(rooms.count < 64)
        #expect(!other.reserve(other.mostAtOnce))
        #expect(!one.releaseAll(), "it had no reservation")
        #expect(rooms.map { $0.releaseAll() }.contains(true), "a worker waits for room, and is notified")
        #expect(other.reserve(other.mostAtOnce))
    }
}
