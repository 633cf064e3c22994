internal import Glibc
public import Synchronization

/// A bounded queue of records with many producers and one consumer: each record is a header, bytes, and optionally an
/// object.
///
/// Appending allocates nothing. A full ring refuses records, except those of `appendAlways`. An empty ring starts again
/// at the beginning of its memory, so only the part that was ever filled is touched.
///
/// `@unchecked Sendable`, because positions and flags change only under the lock. Bytes are written before the tail
/// passes them, under the lock; then only the consumer accesses them, until the head passes them, again under the lock.
public final class ByteRing<Header: BitwiseCopyable & Sendable, Attachment: AnyObject & Sendable>: @unchecked Sendable {
    /// The result of appending.
    public enum Outcome: Hashable, Sendable {
        /// Appended; the caller must wake the consumer.
        case appendedToSleeper
        /// Appended; the consumer needs no wake-up.
        case appended
        /// Refused: there was no room.
        case full
    }

    /// How the consumer waits for records.
    public enum Rest: Hashable, Sendable {
        /// It polls again soon, and is to be woken only when a quarter of the ring is full.
        case nap
        /// It waits until it is woken.
        case sleep
    }

    @usableFromInline
    struct State: Sendable {
        /// The positions of the oldest record and of the next one.
        @usableFromInline var head = 0
        @usableFromInline var tail = 0
        /// Bytes from head to tail, including bytes skipped at the end of the memory.
        @usableFromInline var used = 0
        /// Bytes reserved and not yet appended.
        @usableFromInline var reserved = 0
        @usableFromInline var rest: Rest?
        /// Whether a producer was refused a reservation and waits for room.
        @usableFromInline var isAwaited = false
        /// Records that `appendAlways` added to a full ring, from `overflowHead` on.
        @usableFromInline var overflow: [Overflow] = []
        @usableFromInline var overflowHead = 0
    }

    @usableFromInline
    struct Overflow: Sendable {
        @usableFromInline let header: Header
        @usableFromInline let attachment: Attachment?

        @usableFromInline
        init(header: Header, attachment: Attachment?) {
            self.header = header
            self.attachment = attachment
        }
    }

    /// The prefix of each record; `size` 0 marks the rest of the memory as skipped.
    @usableFromInline
    struct Prefix: BitwiseCopyable {
        @usableFromInline let size: UInt32
        @usableFromInline let count: UInt32
        /// The attached object, retained; 0: none.
        @usableFromInline let attachment: UInt
        @usableFromInline let header: Header

        @usableFromInline
        init(size: UInt32, count: UInt32, attachment: UInt, header: Header) {
            self.size = size
            self.count = count
            self.attachment = attachment
            self.header = header
        }
    }

    /// The size of the memory in bytes.
    public let capacity: Int
    @usableFromInline let base: UnsafeMutableRawPointer
    @usableFromInline let state = Mutex(State())

    /// A ring of at least 4 KiB. Throws if the system has no memory for it.
    public init(capacity: Int) throws(Errno) {
        precondition(capacity >= 4096 && capacity < 1 << 31)
        self.capacity = capacity & ~7
        // mmap, because an allocator would keep such large blocks, and rings are created and freed at run time.
        guard
            let memory = mmap(nil, self.capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            memory != MAP_FAILED
        else { throw Errno.current }
        base = memory
    }

    deinit {
        // No other thread uses the ring now. Releases the objects of the remaining records.
        var (head, used) = state.withLock { ($0.head, $0.used) }
        while used > 0 {
            guard let (prefix, size) = prefix(at: head) else {
                used -= capacity - head
                head = 0
                continue
            }
            _ = Self.takeAttachment(prefix)
            head += size
            used -= size
        }
        munmap(base, capacity)
    }

    /// The largest payload of one record; larger ones would waste the end of a small ring.
    @inlinable
    public var largestPayload: Int { min(capacity / 8, 64 << 10) - MemoryLayout<Prefix>.stride }

    /// The ring space that a record with a payload of `count` bytes takes.
    @inlinable
    public static func size(ofPayload count: Int) -> Int { (MemoryLayout<Prefix>.stride + count + 7) & ~7 }

    // MARK: Any thread

    /// Appends a record if there is room. Consumes `reserved` bytes of an earlier reservation, also if it fails. The
    /// record takes at least `room` bytes of the ring, which bounds the number of attachments.
    @inlinable
    public func append(
        _ header: Header, _ bytes: borrowing RawSpan, attachment: Attachment? = nil, room: Int = 0,
        reserved: Int = 0
    ) -> Outcome {
        let count = bytes.byteCount
        precondition(count <= largestPayload)
        let size = Self.size(ofPayload: max(count, room))
        let destination = base
        return bytes.withUnsafeBytes { source in
            state.withLock { state in
                state.reserved -= reserved
                if reserved == 0 && state.reserved > 0 {
                    // All reservations must fit after this record, and the end of the memory may be skipped.
                    let slack = 2 * Self.size(ofPayload: largestPayload)
                    guard state.used + state.reserved + size + slack <= capacity else { return .full }
                }
                guard let offset = allocate(size, in: &state) else { return .full }
                Self.store(header, source, attachment, size: size, at: destination + offset)
                return wake(&state) ? .appendedToSleeper : .appended
            }
        }
    }

    /// Writes a record to memory that was allocated for it.
    @inlinable
    @inline(__always)
    static func store(
        _ header: Header, _ bytes: UnsafeRawBufferPointer, _ attachment: Attachment?, size: Int,
        at destination: UnsafeMutableRawPointer
    ) {
        let object = attachment.map { UInt(bitPattern: Unmanaged.passRetained($0).toOpaque()) } ?? 0
        let prefix = Prefix(
            size: UInt32(truncatingIfNeeded: size), count: UInt32(truncatingIfNeeded: bytes.count),
            attachment: object, header: header)
        destination.storeBytes(of: prefix, as: Prefix.self)
        if let start = bytes.baseAddress {
            (destination + MemoryLayout<Prefix>.stride).copyMemory(from: start, byteCount: bytes.count)
        }
    }

    /// Appends the records of a stage, all of which fit its reservation, and reserves `wanted` bytes more if there is
    /// room. Returns the number of bytes reserved.
    func append(gathered: UnsafeRawPointer, count: Int, thenReserve wanted: Int) -> (outcome: Outcome, reserved: Int) {
        state.withLock { state in
            var outcome = Outcome.appended
            if count > 0 {
                state.reserved -= count
                guard let offset = allocate(count, in: &state) else {
                    preconditionFailure("ByteRing: no room for \(count) reserved bytes")
                }
                (base + offset).copyMemory(from: gathered, byteCount: count)
                if wake(&state) { outcome = .appendedToSleeper }
            }
            // The same rule as in `reserve`, but without waiting for room.
            let isRoom = state.used + state.reserved + Self.size(ofPayload: largestPayload) + wanted <= capacity
            guard isRoom else { return (outcome, 0) }
            state.reserved += wanted
            return (outcome, wanted)
        }
    }

    /// Appends a record without bytes even to a full ring; only for records that are bounded otherwise, such as the
    /// last record of a connection whose first record was appended.
    public func appendAlways(_ header: Header, attachment: Attachment?, room: Int = 0) -> Outcome {
        let outcome = append(header, RawSpan(), attachment: attachment, room: room)
        guard outcome == .full else { return outcome }
        return state.withLock { state in
            state.overflow.append(Overflow(header: header, attachment: attachment))
            return wake(&state) ? .appendedToSleeper : .appended
        }
    }

    /// Reserves room for records of `size` bytes in total (see `size(ofPayload:)`), none larger than `largestPayload`;
    /// appending them with the reservation does not fail. Reserves `preferred` bytes instead if that is more and there
    /// is room. Returns the number of bytes reserved; after 0, a later result of `consume` or `unreserve` says that
    /// there is room.
    @inlinable
    public func reserve(_ size: Int, preferring preferred: Int = 0) -> Int {
        state.withLock { state in
            // Plus one record, because the end of the memory may have to be skipped.
            let taken = state.used + state.reserved + Self.size(ofPayload: largestPayload)
            guard taken + size <= capacity else {
                state.isAwaited = true
                return 0
            }
            let reserved = preferred > size && taken + preferred <= capacity ? preferred : size
            state.reserved += reserved
            return reserved
        }
    }

    /// Releases an unused reservation. Returns whether a producer waits and now has room; `consume` does not report
    /// that if only reservations filled the ring.
    @inlinable
    public func unreserve(_ size: Int) -> Bool {
        guard size > 0 else { return false }
        return state.withLock { state in
            state.reserved -= size
            return clearWaiterIfRoom(&state)
        }
    }

    /// Bytes in use.
    public var used: Int { state.withLock { $0.used } }

    /// Allocates a record at the tail and returns its position; nil if neither free piece is large enough.
    @inlinable
    @inline(__always)
    func allocate(_ size: Int, in state: inout State) -> Int? {
        if state.used == 0 {
            state.head = 0
            state.tail = 0
        }
        let isWrapped = state.used > 0 && state.tail <= state.head
        let room = isWrapped ? state.head - state.tail : capacity - state.tail
        if size > room {
            guard !isWrapped, size <= state.head else { return nil }
            if room > 0 { (base + state.tail).storeBytes(of: 0, as: UInt32.self) }
            state.used += room
            state.tail = 0
        }
        let offset = state.tail
        state.tail += size
        state.used += size
        if state.tail == capacity && state.head > 0 { state.tail = 0 }
        return offset
    }

    @inlinable
    @inline(__always)
    func wake(_ state: inout State) -> Bool {
        guard let rest = state.rest, rest == .sleep || state.used >= capacity / 4 else { return false }
        state.rest = nil
        return true
    }

    // MARK: The consumer's thread

    /// Lends the present records to `body` in the order of appending, until it returns false: that record and all later
    /// ones stay. Records that `appendAlways` added to a full ring come last. Returns whether a producer waits for the
    /// room that was freed.
    public func consume(_ body: (Header, RawSpan, Attachment?) -> Bool) -> Bool {
        var (head, left, overflow) = state.withLock { ($0.head, $0.used, $0.overflow.count - $0.overflowHead) }
        var isRoomAwaited = false
        var freed = 0
        while left > 0 {
            guard let (prefix, size) = prefix(at: head) else {
                freed += capacity - head
                left -= capacity - head
                head = 0
                continue
            }
            let bytes = UnsafeRawBufferPointer(
                start: base + head + MemoryLayout<Prefix>.stride, count: Int(prefix.count))
            let isTaken = body(prefix.header, bytes.bytes, Self.peekAttachment(prefix))
            guard isTaken else { return release(freed, head: head) || isRoomAwaited }
            _ = Self.takeAttachment(prefix)
            head += size
            if head == capacity { head = 0 }
            left -= size
            freed += size
            if freed >= capacity / 8 {
                isRoomAwaited = release(freed, head: head) || isRoomAwaited
                freed = 0
            }
        }
        isRoomAwaited = release(freed, head: head) || isRoomAwaited
        while overflow > 0 {
            let one = state.withLock { $0.overflow[$0.overflowHead] }
            guard body(one.header, RawSpan(), one.attachment) else { break }
            overflow -= 1
            state.withLock { state in
                state.overflowHead += 1
                guard state.overflowHead == state.overflow.count else { return }
                state.overflow = []
                state.overflowHead = 0
            }
        }
        return isRoomAwaited
    }

    /// Frees ring space. Returns whether a producer waits and half of the ring is free.
    private func release(_ count: Int, head: Int) -> Bool {
        // If nothing was consumed, the head must stay: appending to an empty ring resets it.
        guard count > 0 else { return false }
        return state.withLock { state in
            state.head = head
            state.used -= count
            return clearWaiterIfRoom(&state)
        }
    }

    /// Clears the waiting flag if a producer waits and half of the ring is free. Returns whether it did.
    @inlinable
    func clearWaiterIfRoom(_ state: inout State) -> Bool {
        guard state.isAwaited, state.used + state.reserved <= capacity / 2 else { return false }
        state.isAwaited = false
        return true
    }

    /// Announces that the consumer waits; from then on the result of `append` says when to wake it. False if it must
    /// not sleep because there are records.
    public func rest(_ rest: Rest) -> Bool {
        state.withLock { state in
            if rest == .sleep && (state.used > 0 || state.overflowHead < state.overflow.count) { return false }
            state.rest = rest
            return true
        }
    }

    /// The record at a position; nil when the rest of the memory is skipped.
    private func prefix(at offset: Int) -> (prefix: Prefix, size: Int)? {
        guard (base + offset).load(as: UInt32.self) > 0 else { return nil }
        let prefix = (base + offset).load(as: Prefix.self)
        return (prefix, Int(prefix.size))
    }

    private static func peekAttachment(_ prefix: Prefix) -> Attachment? {
        guard let pointer = UnsafeRawPointer(bitPattern: prefix.attachment) else { return nil }
        return Unmanaged<Attachment>.fromOpaque(pointer).takeUnretainedValue()
    }

    private static func takeAttachment(_ prefix: Prefix) -> Attachment? {
        guard let pointer = UnsafeRawPointer(bitPattern: prefix.attachment) else { return nil }
        return Unmanaged<Attachment>.fromOpaque(pointer).takeRetainedValue()
    }
}
