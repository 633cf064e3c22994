internal import Sockets

/// One worker's reservation in the ring of a recording that must be complete, so that most events need no call to the
/// ring.
///
/// Shared by the worker's taps of that recording, on the worker's thread. Between events the worker keeps a portion of
/// the ring, all workers together at most an eighth, and reserves more when it is used up.
final class RingReservation {
    // MARK: Fixed at init

    let ring: TapRing
    /// The largest number of bytes that can be reserved at once.
    let mostAtOnce: Int
    /// The reservation kept between events, which is also the preferred size; 0 if the ring is too small.
    private let portion: Int
    /// The largest size of an ordinary read, and the ring space that it needs.
    private let ordinaryRead: Int
    private let sizeOfRead: Int

    // MARK: The worker's thread only

    private var reserved = 0

    /// The reservation of one of `workers` workers. Most reads of a flow have at most `ordinaryRead` bytes.
    init(ring: TapRing, workers: Int, ordinaryRead: Int) {
        self.ring = ring
        self.ordinaryRead = ordinaryRead
        mostAtOnce = ring.capacity / 4
        let share = ring.capacity / 8 / workers
        sizeOfRead = Self.size(of: min(ordinaryRead, mostAtOnce), in: ring)
        portion = share >= 2 * sizeOfRead ? min(share, Self.largestPortion) : 0
    }

    private static let largestPortion = 512 << 10

    /// The largest ring space for `count` bytes of a flow: their records, and a beginning from the middle.
    private static func size(of count: Int, in ring: TapRing) -> Int {
        let largest = ring.largestPayload
        return (count + largest - 1) / largest * TapRing.size(ofPayload: largest)
            + TapRing.size(ofPayload: Recorder.roomOfNote)
    }

    /// Reserves room for `count` bytes of a flow. If it fails, the ring reports later that there is room.
    @inline(__always)
    func reserve(_ count: Int) -> Bool {
        reserved >= sizeOfRead && count <= ordinaryRead || reserveMore(count)
    }

    private func reserveMore(_ count: Int) -> Bool {
        let needed = Self.size(of: min(count, mostAtOnce), in: ring)
        if reserved >= needed { return true }
        let granted = ring.reserve(needed - reserved, preferring: portion)
        reserved += granted
        return granted > 0
    }

    /// Uses `size` bytes of the reservation for a record; returns 0 if it is too small.
    @inline(__always)
    func use(_ size: Int) -> Int {
        guard reserved >= size else { return 0 }
        reserved -= size
        return size
    }

    /// Releases the reservation beyond the portion. Returns whether a worker waits and now has room.
    @inline(__always)
    func releaseUnused() -> Bool {
        reserved > portion && release(reserved - portion)
    }

    /// Releases the whole reservation. Returns whether a worker waits and now has room.
    func releaseAll() -> Bool { release(reserved) }

    private func release(_ size: Int) -> Bool {
        reserved -= size
        return ring.unreserve(size)
    }
}
