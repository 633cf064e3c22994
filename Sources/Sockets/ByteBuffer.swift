/// Pinned memory of a fixed size for bytes in transit. One thread at a time.
public final class ByteBuffer {
    /// The size in bytes.
    public let capacity: Int
    @usableFromInline let base: UnsafeMutableRawPointer

    /// Allocates without touching the memory, so that unused pages cost nothing.
    public init(capacity: Int) {
        precondition(capacity > 0)
        self.capacity = capacity
        base = .allocate(byteCount: capacity, alignment: 64)
    }

    /// A copy of at least one byte.
    public convenience init(_ bytes: [UInt8]) {
        self.init(capacity: bytes.count)
        UnsafeMutableRawBufferPointer(start: base, count: capacity).copyBytes(from: bytes)
    }

    deinit {
        base.deallocate()
    }

    /// Lends the bytes of a range for one call.
    public func withBytes<Result>(from offset: Int, count: Int, _ body: (RawSpan) -> Result) -> Result {
        precondition(offset >= 0 && count >= 0 && offset + count <= capacity)
        return body(UnsafeRawBufferPointer(start: base + offset, count: count).bytes)
    }

    /// Lends the first `limit` bytes for one call that writes them; at most the whole buffer. For modules that may use
    /// pointers.
    package func withMutableBytes<Result>(
        limit: Int, _ body: (UnsafeMutableRawBufferPointer) -> Result
    ) -> Result {
        body(UnsafeMutableRawBufferPointer(start: base, count: max(0, min(limit, capacity))))
    }

    /// Appends the first `count` bytes to an array.
    public func append(count: Int, to bytes: inout [UInt8]) {
        precondition(count >= 0 && count <= capacity)
        bytes.append(contentsOf: UnsafeRawBufferPointer(start: base, count: count))
    }

    /// Copies a range of another buffer to the start of this buffer.
    public func fill(from other: ByteBuffer, offset: Int, count: Int) {
        precondition(offset >= 0 && count >= 0 && offset + count <= other.capacity && count <= capacity)
        base.copyMemory(from: other.base + offset, byteCount: count)
    }
}
