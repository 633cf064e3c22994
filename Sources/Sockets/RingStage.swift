/// A producer's buffer in front of a `ByteRing`, which appends many records under one lock.
///
/// Room in the ring is reserved for each staged record, so a staged record cannot be lost. The consumer sees it after
/// the next `flush`; to keep the order, flush before appending to the ring directly. Appending allocates nothing.
///
/// Confined to the producer's thread. The owner calls `flush` and `giveBack` before releasing it.
public final class RingStage<Header: BitwiseCopyable & Sendable, Attachment: AnyObject & Sendable> {
    // MARK: Fixed at init

    @usableFromInline let ring: ByteRing<Header, Attachment>
    /// The largest number of bytes staged at a time.
    @usableFromInline let capacity: Int
    @usableFromInline let base: UnsafeMutableRawPointer

    // MARK: The producer's thread only

    /// Bytes staged and bytes reserved in the ring; `gathered` never exceeds `reserved`.
    @usableFromInline var gathered = 0
    @usableFromInline var reserved = 0

    /// A stage of at most `capacity` bytes, which must be well below the ring's size.
    public init(ring: ByteRing<Header, Attachment>, capacity: Int) {
        precondition(capacity > 0 && capacity <= ring.largestPayload, "RingStage: as large as its ring")
        self.ring = ring
        self.capacity = capacity & ~7
        base = .allocate(byteCount: self.capacity, alignment: 64)
    }

    deinit {
        precondition(gathered == 0 && reserved == 0, "RingStage: giveBack() was never called")
        base.deallocate()
    }

    /// Whether no record is staged.
    @inlinable
    public var isEmpty: Bool { gathered == 0 }

    /// Stages a record if the reservation has room for it. The record takes at least `room` bytes.
    @inlinable
    @inline(__always)
    public func append(
        _ header: Header, _ bytes: borrowing RawSpan, attachment: Attachment? = nil, room: Int = 0
    ) -> Bool {
        let count = bytes.byteCount
        let size = ByteRing<Header, Attachment>.size(ofPayload: max(count, room))
        guard size <= reserved &- gathered else { return false }
        let destination = base + gathered
        bytes.withUnsafeBytes {
            ByteRing<Header, Attachment>.store(header, $0, attachment, size: size, at: destination)
        }
        gathered &+= size
        return true
    }

    /// Appends the staged records to the ring and renews the reservation up to the capacity.
    public func flush() -> ByteRing<Header, Attachment>.Outcome {
        let (outcome, granted) = ring.append(
            gathered: UnsafeRawPointer(base), count: gathered, thenReserve: capacity - (reserved - gathered))
        reserved += granted - gathered
        gathered = 0
        return outcome
    }

    /// Releases the reservation of an empty stage. Returns whether a producer waits and now has room.
    public func giveBack() -> Bool {
        precondition(gathered == 0, "RingStage: flush() comes first")
        defer { reserved = 0 }
        return ring.unreserve(reserved)
    }
}
