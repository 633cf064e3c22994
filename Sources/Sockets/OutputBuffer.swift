extension MutableRawSpan {
    /// Stores a number, its most significant byte first (network order).
    @inlinable @inline(__always)
    public mutating func store(bigEndian number: some FixedWidthInteger & BitwiseCopyable, at offset: Int) {
        storeBytes(of: number.bigEndian, toByteOffset: offset, as: type(of: number))
    }

    /// Stores a number, its least significant byte first.
    @inlinable @inline(__always)
    public mutating func store(littleEndian number: some FixedWidthInteger & BitwiseCopyable, at offset: Int) {
        storeBytes(of: number.littleEndian, toByteOffset: offset, as: type(of: number))
    }
}

/// Pinned memory that grows, for bytes on their way out; owned by whoever holds the reference, for one thread at a time.
///
/// Appending never fails: the memory grows by doubling and is kept by `removeAll`, so a writer that empties it again
/// and again allocates until it has seen its largest load and never after. Offsets count from the first byte.
public final class OutputBuffer {
    /// How many bytes it holds.
    @inlinable
    public var count: Int { filled }
    /// How many bytes fit before it has to grow.
    @inlinable
    public var capacity: Int { room }
    // Writers append a packet's header number by number: those calls are inlined into their modules.
    @usableFromInline var filled = 0
    @usableFromInline var room: Int
    @usableFromInline var base: UnsafeMutableRawPointer

    /// Allocates, without touching the memory: pages that nothing is written to cost nothing.
    public init(capacity: Int = 4096) {
        precondition(capacity > 0)
        room = capacity
        base = .allocate(byteCount: capacity, alignment: 64)
    }

    deinit {
        base.deallocate()
    }

    // MARK: Growing and shrinking

    /// Makes room for so many bytes more.
    @inlinable @inline(__always)
    public func reserve(_ more: Int) {
        if capacity - count < more { grow(more) }
    }

    @usableFromInline @inline(never)
    func grow(_ more: Int) {
        let larger = max(capacity * 2, count + more)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 64)
        memory.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = memory
        room = larger
    }

    /// Takes back what was appended past a count that it had before.
    public func truncate(to count: Int) {
        precondition(count >= 0 && count <= self.count)
        filled = count
    }

    /// Empties it and keeps its memory.
    public func removeAll() {
        filled = 0
    }

    // MARK: Numbers

    /// Appends a number as its bytes lie in the memory of this machine: pass `.littleEndian` or `.bigEndian` of it.
    @inlinable @inline(__always)
    func append<Number: FixedWidthInteger & BitwiseCopyable>(raw number: Number) {
        reserve(MemoryLayout<Number>.size)
        (base + count).storeBytes(of: number, as: Number.self)
        filled += MemoryLayout<Number>.size
    }

    /// Appends a byte.
    @inlinable @inline(__always)
    public func append(_ byte: UInt8) { append(raw: byte) }

    /// Appends a number, its least significant byte first.
    @inlinable @inline(__always)
    public func append(littleEndian number: UInt16) { append(raw: number.littleEndian) }
    /// Appends a number, its least significant byte first.
    @inlinable @inline(__always)
    public func append(littleEndian number: UInt32) { append(raw: number.littleEndian) }
    /// Appends a number, its least significant byte first.
    @inlinable @inline(__always)
    public func append(littleEndian number: UInt64) { append(raw: number.littleEndian) }
    /// Appends a number, its most significant byte first (network order).
    @inlinable @inline(__always)
    public func append(bigEndian number: UInt32) { append(raw: number.bigEndian) }
    /// Appends a number, its most significant byte first (network order).
    @inlinable @inline(__always)
    public func append(bigEndian number: UInt64) { append(raw: number.bigEndian) }

    /// Overwrites four bytes with a number, its least significant byte first.
    @inlinable @inline(__always)
    public func patch(littleEndian number: UInt32, at offset: Int) {
        precondition(offset >= 0 && offset + 4 <= count)
        (base + offset).storeBytes(of: number.littleEndian, as: UInt32.self)
    }

    /// Overwrites two bytes with a number, its most significant byte first (network order).
    @inlinable @inline(__always)
    public func patch(bigEndian number: UInt16, at offset: Int) {
        precondition(offset >= 0 && offset + 2 <= count)
        (base + offset).storeBytes(of: number.bigEndian, as: UInt16.self)
    }

    /// Appends so many bytes, all of which `fill` must write: one look at the room there is, for many numbers.
    @inlinable @inline(__always)
    public func append(count more: Int, _ fill: (inout MutableRawSpan) -> Void) {
        reserve(more)
        let place = UnsafeMutableRawBufferPointer(start: base + count, count: more)
        var span = place.mutableBytes
        fill(&span)
        filled += more
    }

    // MARK: Bytes

    /// Appends bytes.
    public func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { append($0) }
    }

    /// Appends text as UTF-8, without a closing NUL.
    public func append(_ text: String.UTF8View) {
        let isDone: Void? = text.withContiguousStorageIfAvailable { append(UnsafeRawBufferPointer($0)) }
        if isDone == nil { append(Array(text)) }
    }

    /// Appends a copy of the bytes.
    public func append(_ span: RawSpan) {
        span.withUnsafeBytes { append($0) }
    }

    private func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress else { return }
        reserve(bytes.count)
        (base + count).copyMemory(from: source, byteCount: bytes.count)
        filled += bytes.count
    }

    /// Appends zeros until the count is a multiple of four.
    @inlinable @inline(__always)
    public func padToFour() {
        let missing = -count & 3
        guard missing > 0 else { return }
        reserve(4)
        (base + count).storeBytes(of: 0, as: UInt32.self)
        filled += missing
    }

    /// Lends all of the bytes for one call; they must not leave it.
    public func withBytes<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        try body(UnsafeRawBufferPointer(start: base, count: count).bytes)
    }

    // MARK: Sums

    /// Appends a copy of the bytes and returns the ones'-complement sum of their 16-bit words (RFC 1071), in one pass
    /// over them: the words are big-endian, the first begins with the first byte of the span, and an odd last byte
    /// counts as followed by a zero. Folded to 16 bits.
    public func appendSumming(_ span: RawSpan) -> UInt64 {
        span.withUnsafeBytes { bytes in
            guard let source = bytes.baseAddress else { return 0 }
            reserve(bytes.count)
            let sum = Self.copySumming(from: source, to: base + count, count: bytes.count)
            filled += bytes.count
            return sum
        }
    }

    /// The sum as `appendSumming` has it, of a range of what is there already.
    public func sum(from offset: Int, count: Int) -> UInt64 {
        precondition(offset >= 0 && count >= 0 && offset + count <= self.count)
        // Bytes copied onto themselves stay as they are.
        return Self.copySumming(from: UnsafeRawPointer(base + offset), to: base + offset, count: count)
    }

    /// The sum does not depend on the byte order in which it is made (RFC 1071, section 2 B): words are added as the
    /// machine reads them, 32 bits at a time into 64-bit lanes that cannot overflow below 2^32 steps, and the folded
    /// result is turned round at the end.
    @inline(__always)
    private static func copySumming(
        from source: UnsafeRawPointer, to destination: UnsafeMutableRawPointer, count: Int
    ) -> UInt64 {
        let low32 = UInt64(UInt32.max)
        var offset = 0
        var sum: UInt64 = 0
        if count >= 64 {
            var low = SIMD8<UInt64>.zero
            var high = SIMD8<UInt64>.zero
            let mask = SIMD8<UInt64>(repeating: low32)
            while offset &+ 64 <= count {
                let words = (source + offset).loadUnaligned(as: SIMD8<UInt64>.self)
                (destination + offset).storeBytes(of: words, as: SIMD8<UInt64>.self)
                low &+= words & mask
                high &+= words &>> 32
                offset &+= 64
            }
            let lanes = low &+ high
            // Each lane is below 2^42 for what memory can hold in one span, so eight of them do not overflow.
            sum = lanes.wrappedSum()
        }
        while offset &+ 8 <= count {
            let word = (source + offset).loadUnaligned(as: UInt64.self)
            (destination + offset).storeBytes(of: word, as: UInt64.self)
            sum &+= (word & low32) &+ (word >> 32)
            offset &+= 8
        }
        if offset < count {
            var word: UInt64 = 0
            var shift: UInt64 = 0
            while offset < count {
                let byte = (source + offset).load(as: UInt8.self)
                (destination + offset).storeBytes(of: byte, as: UInt8.self)
                word |= UInt64(byte) << shift
                shift &+= 8
                offset &+= 1
            }
            sum &+= (word & low32) &+ (word >> 32)
        }
        return UInt64(UInt16(truncatingIfNeeded: fold(UInt64(littleEndian: sum))).byteSwapped)
    }

    /// Adds the carries back in until 16 bits are left.
    @inline(__always)
    private static func fold(_ sum: UInt64) -> UInt64 {
        var folded = (sum & 0xFFFF_FFFF) &+ (sum >> 32)
        folded = (folded & 0xFFFF) &+ (folded >> 16)
        folded = (folded & 0xFFFF) &+ (folded >> 16)
        folded = (folded & 0xFFFF) &+ (folded >> 16)
        return folded
    }
}
