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

/// A growing buffer in pinned memory for output. One thread at a time.
///
/// Appending never fails. The memory grows by doubling and is kept by `removeAll`, so a writer that reuses the buffer
/// stops allocating after its largest load. Offsets count from the first byte.
public final class OutputBuffer {
    /// The number of bytes in the buffer.
    @inlinable
    public var count: Int { filled }
    /// The number of bytes that fit before it grows.
    @inlinable
    public var capacity: Int { room }
    // Usable from inline, because writers append a packet's header number by number.
    @usableFromInline var filled = 0
    @usableFromInline var room: Int
    @usableFromInline var base: UnsafeMutableRawPointer

    /// Allocates without touching the memory, so that unused pages cost nothing.
    public init(capacity: Int = 4096) {
        precondition(capacity > 0)
        room = capacity
        base = .allocate(byteCount: capacity, alignment: 64)
    }

    deinit {
        base.deallocate()
    }

    // MARK: Growing and shrinking

    /// Ensures room for `more` bytes.
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

    /// Removes all bytes and keeps the memory.
    public func removeAll() {
        filled = 0
    }

    // MARK: Numbers

    /// Appends a number in this machine's byte order; pass its `.littleEndian` or `.bigEndian`.
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

    /// Appends `more` bytes, all of which `fill` must write: one capacity check for many numbers.
    @inlinable @inline(__always)
    public func append(count more: Int, _ fill: (inout MutableRawSpan) -> Void) {
        reserve(more)
        let memory = UnsafeMutableRawBufferPointer(start: base + count, count: more)
        var span = memory.mutableBytes
        fill(&span)
        filled += more
    }

    // MARK: Bytes

    /// Appends bytes.
    public func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { append($0) }
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

    /// Lends all bytes for one call.
    public func withBytes<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        try body(UnsafeRawBufferPointer(start: base, count: count).bytes)
    }

    // MARK: Sums

    /// Appends the bytes and returns the ones'-complement sum of their 16-bit words (RFC 1071), folded to 16 bits, in
    /// one pass. The words are big-endian, the first one starts at the first byte, and an odd last byte is zero-padded.
    public func appendSumming(_ span: RawSpan) -> UInt64 {
        span.withUnsafeBytes { bytes in
            guard let source = bytes.baseAddress else { return 0 }
            reserve(bytes.count)
            let sum = Self.copySumming(from: source, to: base + count, count: bytes.count)
            filled += bytes.count
            return sum
        }
    }

    /// The sum does not depend on the byte order (RFC 1071, section 2 B): words are added in the machine's order, 32
    /// bits at a time, in 64-bit lanes that cannot overflow below 2^32 steps. The folded result is byte-swapped.
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
            // Each lane is below 2^42 for any span that fits in memory, so eight of them do not overflow.
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

    /// Adds the carries until 16 bits are left.
    @inline(__always)
    private static func fold(_ sum: UInt64) -> UInt64 {
        var folded = (sum & 0xFFFF_FFFF) &+ (sum >> 32)
        folded = (folded & 0xFFFF) &+ (folded >> 16)
        folded = (folded & 0xFFFF) &+ (folded >> 16)
        folded = (folded & 0xFFFF) &+ (folded >> 16)
        return folded
    }
}
