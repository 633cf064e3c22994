internal import Glibc
public import Synchronization

/// A bounded queue of records between many threads that append and one that consumes: each record is a header, some
/// bytes, and now and then an object.
///
/// Nothing is allocated for a record but by who attaches an object. A full ring takes nothing more, except by
/// `appendAlways`. The memory is touched only as far as the ring has ever been filled: when it runs empty it begins
/// anew at the start.
///
/// `@unchecked Sendable`, because positions and flags change only under the lock; the bytes between head and tail are
/// written before the tail passes them, under that lock, and from then on touched by the one consumer only, until the
/// head passes them, again under the lock.
public final class ByteRing<Header: BitwiseCopyable & Sendable, Attachment: AnyObject & Sendable>: @unchecked Sendable {
    /// What came of appending.
    public enum Outcome: Hashable, Sendable {
        /// The consumer must be woken: by whoever appended, after the call.
        case appendedToSleeper
        /// The consumer will come by itself.
        case appended
        /// There was no room.
        case full
    }

    /// How the consumer waits for records.
    public enum Rest: Hashable, Sendable {
        /// It comes again soon by itself; waking is worth it only when a quarter of the ring is full.
        case nap
        /// It comes only when it is woken.
        case sleep
    }

    @usableFromInline
    struct State: Sendable {
        /// Where the oldest record starts, and where the next one goes.
        @usableFromInline var head = 0
        @usableFromInline var tail = 0
        /// Bytes from head to tail, with what is skipped at the end of the memory.
        @usableFromInline var used = 0
        /// Bytes promised to callers of `reserve`.
        @usableFromInline var reserved = 0
        @usableFromInline var rest: Rest?
        /// Somebody was refused a reservation and waits for room.
        @usableFromInline var isAwaited = false
        /// What had to be taken though there was no room, from `overflowHead` on.
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

    /// What stands before each record's bytes; `size` 0 says that the rest of the memory is skipped.
    @usableFromInline
    struct Prefix: BitwiseCopyable {
        @usableFromInline let size: UInt32
        @usableFromInline let count: UInt32
        /// The attached object, retained; 0 is none.
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

    /// How many bytes of memory it has.
    public let capacity: Int
    @usableFromInline let base: UnsafeMutableRawPointer
    @usableFromInline let state = Mutex(State())

    /// A ring of so many bytes, at least 4 KiB. Fails where the system has no memory for it.
    public init(capacity: Int) throws(Errno) {
        precondition(capacity >= 4096 && capacity < 1 << 31)
        self.capacity = capacity & ~7
        // From the system and back to it: an allocator keeps what was once as large, and rings come and go.
        guard
            let memory = mmap(nil, self.capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            memory != MAP_FAILED
        else { throw Errno.current }
        base = memory
    }

    deinit {
        // Nobody appends or consumes any more: what is left are the objects that nobody took.
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

    /// The most bytes that one record may have: larger ones would waste the end of a small ring.
    @inlinable
    public var largestPayload: Int { min(capacity / 8, 64 << 10) - MemoryLayout<Prefix>.stride }

    /// How much of the ring a record of so many bytes takes.
    @inlinable
    public static func size(ofPayload count: Int) -> Int { (MemoryLayout<Prefix>.stride + count + 7) & ~7 }

    // MARK: Any thread

    /// Appends a record, if there is room. `reserved` bytes of an earlier reservation are given back by it, whatever
    /// comes of it. A record with an attachment takes at least `room` bytes of the ring, so that objects are bounded too.
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
                    // What is promised to others must fit behind this, and the end of the memory may be skipped.
                    let slack = 2 * Self.size(ofPayload: largestPayload)
                    guard state.used + state.reserved + size + slack <= capacity else { return .full }
                }
                guard let offset = place(size, in: &state) else { return .full }
                Self.store(header, source, attachment, size: size, at: destination + offset)
                return wake(&state) ? .appendedToSleeper : .appended
            }
        }
    }

    /// Writes a record where there is room for it.
    @inlinable
    @inline(__always)
    static func store(
        _ header: Header, _ bytes: UnsafeRawBufferPointer, _ attachment: Attachment?, size: Int,
        at place: UnsafeMutableRawPointer
    ) {
        let object = attachment.map { UInt(bitPattern: Unmanaged.passRetained($0).toOpaque()) } ?? 0
        let prefix = Prefix(
            size: UInt32(truncatingIfNeeded: size), count: UInt32(truncatingIfNeeded: bytes.count),
            attachment: object, header: header)
        place.storeBytes(of: prefix, as: Prefix.self)
        if let start = bytes.baseAddress {
            (place + MemoryLayout<Prefix>.stride).copyMemory(from: start, byteCount: bytes.count)
        }
    }

    /// Appends records that a stage gathered, for all of which it was promised room, and promises it more. Returns how
    /// much.
    func append(gathered: UnsafeRawPointer, count: Int, thenPromise wanted: Int) -> (outcome: Outcome, promised: Int) {
        state.withLock { state in
            var outcome = Outcome.appended
            if count > 0 {
                state.reserved -= count
                guard let offset = place(count, in: &state) else {
                    preconditionFailure("ByteRing: no room for \(count) bytes that were promised it")
                }
                (base + offset).copyMemory(from: gathered, byteCount: count)
                if wake(&state) { outcome = .appendedToSleeper }
            }
            // As for `reserve`; but nobody waits for this.
            let isRoom = state.used + state.reserved + Self.size(ofPayload: largestPayload) + wanted <= capacity
            guard isRoom else { return (outcome, 0) }
            state.reserved += wanted
            return (outcome, wanted)
        }
    }

    /// Appends a record without bytes in any case; only for what is bounded by something else, such as the end of what
    /// found room when it began.
    public func appendAlways(_ header: Header, attachment: Attachment?, room: Int = 0) -> Outcome {
        let outcome = append(header, RawSpan(), attachment: attachment, room: room)
        guard outcome == .full else { return outcome }
        return state.withLock { state in
            state.overflow.append(Overflow(header: header, attachment: attachment))
            return wake(&state) ? .appendedToSleeper : .appended
        }
    }

    /// Promises room for records of so much in all (see `size(ofPayload:)`), none larger than `largestPayload`: what is
    /// appended with the promise is not refused. `more` is promised instead where it is more and there is room for it.
    /// Returns what was promised; when there is nothing, whoever asks is told later by `consume`'s answer that there is.
    @inlinable
    public func reserve(_ size: Int, orRather more: Int = 0) -> Int {
        state.withLock { state in
            // One record's length more, because the end of the memory may have to be skipped.
            let taken = state.used + state.reserved + Self.size(ofPayload: largestPayload)
            guard taken + size <= capacity else {
                state.isAwaited = true
                return 0
            }
            let promise = more > size && taken + more <= capacity ? more : size
            state.reserved += promise
            return promise
        }
    }

    /// Gives back what was promised and not used. Returns whether somebody waits for room and now finds some: whom
    /// `consume` cannot tell, where nothing but promises stood in the way.
    @inlinable
    public func unreserve(_ size: Int) -> Bool {
        guard size > 0 else { return false }
        return state.withLock { state in
            state.reserved -= size
            return isRoomForWhoWaits(&state)
        }
    }

    /// How many bytes are taken.
    public var used: Int { state.withLock { $0.used } }

    /// Finds a place for a record and moves the tail past it; nil when the free memory is in two pieces too small.
    @inlinable
    @inline(__always)
    func place(_ size: Int, in state: inout State) -> Int? {
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

    /// Lends every record that is there now to `body`, in the order of appending, until that answers false: then that
    /// record and all after it stay. What `appendAlways` took without room comes after
    /// everything that was appended before it.
    /// Returns whether somebody waits for the room that was made.
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

    /// Gives room back. Returns whether somebody waits for it and half of the ring is free.
    private func release(_ count: Int, head: Int) -> Bool {
        // Nothing to give back: whoever appends to an empty ring moves the head.
        guard count > 0 else { return false }
        return state.withLock { state in
            state.head = head
            state.used -= count
            return isRoomForWhoWaits(&state)
        }
    }

    @inlinable
    func isRoomForWhoWaits(_ state: inout State) -> Bool {
        guard state.isAwaited, state.used + state.reserved <= capacity / 2 else { return false }
        state.isAwaited = false
        return true
    }

    /// Goes to rest, if nothing is there; then `append` says when to wake.
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
