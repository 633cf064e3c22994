internal import Sockets

/// Room in the ring of a recording that must be whole, promised to one worker: so that most events need not ask for it.
///
/// Shared by the worker's taps of that recording, on the worker's thread. Between events the worker keeps a portion of
/// the ring, all workers together an eighth of it at most, and asks for more when that is used up.
final class RingReservation {
    // MARK: Fixed at birth

    let ring: TapRing
    /// How many bytes may be made sure of at once.
    let mostAtOnce: Int
    /// What is kept from one event to the next, and asked for at once; 0 where the ring is too small for that.
    private let portion: Int
    /// The bytes of an ordinary read at most, and the room that they take in the ring.
    private let ordinaryRead: Int
    private let sizeOfRead: Int

    // MARK: The worker's thread only

    private var promised = 0

    /// `ordinaryRead`: the bytes that most reads of a flow take at most.
    init(ring: TapRing, workers: Int, ordinaryRead: Int) {
        self.ring = ring
        self.ordinaryRead = ordinaryRead
        mostAtOnce = ring.capacity / 4
        let share = ring.capacity / 8 / workers
        sizeOfRead = Self.size(of: min(ordinaryRead, mostAtOnce), in: ring)
        portion = share >= 2 * sizeOfRead ? min(share, Self.largestPortion) : 0
    }

    private static let largestPortion = 512 << 10

    /// What so many bytes of a flow take at most: their records, and the beginning from the middle, which may be due.
    private static func size(of count: Int, in ring: TapRing) -> Int {
        let largest = ring.largestPayload
        return (count + largest - 1) / largest * TapRing.size(ofPayload: largest)
            + TapRing.size(ofPayload: Recorder.roomOfNote)
    }

    /// Makes sure that so many bytes of a flow find room; the ring tells its consumer when it could not.
    @inline(__always)
    func reserve(_ count: Int) -> Bool {
        promised >= sizeOfRead && count <= ordinaryRead || reserveAnew(count)
    }

    private func reserveAnew(_ count: Int) -> Bool {
        let needed = Self.size(of: min(count, mostAtOnce), in: ring)
        if promised >= needed { return true }
        let granted = ring.reserve(needed - promised, preferring: portion)
        promised += granted
        return granted > 0
    }

    /// Takes out of what was promised what a record of that size needs; nothing where that is not all of it.
    @inline(__always)
    func use(_ size: Int) -> Int {
        guard promised >= size else { return 0 }
        promised -= size
        return size
    }

    /// Gives back what goes beyond a portion. Returns whether somebody waited for it.
    @inline(__always)
    func settle() -> Bool {
        promised > portion && giveBack(promised - portion)
    }

    /// Gives back everything: the worker records nothing there any more. Returns whether somebody waited for it.
    func giveBackAll() -> Bool { giveBack(promised) }

    private func giveBack(_ size: Int) -> Bool {
        promised -= size
        return ring.unreserve(size)
    }
}
