/// Where one of the threads that append to a `ByteRing` gathers records, to put many into the ring under one lock.
///
/// A record that the stage takes is as good as appended: there is room for it, which the ring promised. The consumer
/// sees it after the next `flush`, and appending to the ring beside the stage must wait for one, so that records stay
/// in their order. Nothing is allocated for a record.
///
/// Confined to the thread that appends. Whoever owns it flushes it and gives its room back before letting it go.
public final class RingStage<Header: BitwiseCopyable & Sendable, Attachment: AnyObject & Sendable> {
    // MARK: Fixed at birth

    @usableFromInline let ring: ByteRing<Header, Attachment>
    /// How many bytes of records it gathers at most.
    @usableFromInline let capacity: Int
    @usableFromInline let base: UnsafeMutableRawPointer

    // MARK: The thread that appends

    /// Bytes of records that are gathered, and that the ring has promised room for; never more of the former.
    @usableFromInline var gathered = 0
    @usableFromInline var promised = 0

    /// A stage that gathers so many bytes at most, which must be well below what the ring holds.
    public init(ring: ByteRing<Header, Attachment>, capacity: Int) {
        precondition(capacity > 0 && capacity <= ring.largestPayload, "RingStage: as large as its ring")
        self.ring = ring
        self.capacity = capacity & ~7
        base = .allocate(byteCount: self.capacity, alignment: 64)
    }

    deinit {
        precondition(gathered == 0 && promised == 0, "RingStage: giveBack() was never called")
        base.deallocate()
    }

    /// Whether nothing is gathered.
    @inlinable
    public var isEmpty: Bool { gathered == 0 }

    /// Gathers a record, if it and the ring have room for it. A record with an attachment takes at least `room` bytes.
    @inlinable
    @inline(__always)
    public func append(
        _ header: Header, _ bytes: borrowing RawSpan, attachment: Attachment? = nil, room: Int = 0
    ) -> Bool {
        let count = bytes.byteCount
        let size = ByteRing<Header, Attachment>.size(ofPayload: max(count, room))
        guard size <= promised &- gathered else { return false }
        let place = base + gathered
        bytes.withUnsafeBytes {
            ByteRing<Header, Attachment>.store(header, $0, attachment, size: size, at: place)
        }
        gathered &+= size
        return true
    }

    /// Puts into the ring what is gathered, and asks for as much room as there is none of yet.
    public func flush() -> ByteRing<Header, Attachment>.Outcome {
        let (outcome, granted) = ring.append(
            gathered: UnsafeRawPointer(base), count: gathered, thenPromise: capacity - (promised - gathered))
        promised += granted - gathered
        gathered = 0
        return outcome
    }

    /// Gives back the room that was promised, of a stage in which nothing is gathered. Returns whether somebody waits
    /// for room and now finds some.
    public func giveBack() -> Bool {
        precondition(gathered == 0, "RingStage: flush() comes first")
        defer { promised = 0 }
        return ring.unreserve(promised)
    }
}
