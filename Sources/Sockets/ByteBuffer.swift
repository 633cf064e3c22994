/// Pinned memory for bytes on their way, owned by whoever holds the reference, for one thread at a time.
public final class ByteBuffer {
    /// How many bytes fit.
    public let capacity: Int
    @usableFromInline let base: UnsafeMutableRawPointer

    /// Allocates, without touching the memory: pages that nothing is read into cost nothing.
    public init(capacity: Int) {
        precondition(capacity > 0)
        self.capacity = capacity
        base = .allocate(byteCount: capacity, alignment: 64)
    }

    /// A copy of bytes, of which there is at least one.
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

    /// Appends bytes from the start of this one to a list.
    public func append(count: Int, to bytes: inout [UInt8]) {
        precondition(count >= 0 && count <= capacity)
        bytes.append(contentsOf: UnsafeRawBufferPointer(start: base, count: count))
    }

    /// Copies a range of another buffer to the start of this one.
    public func fill(from other: ByteBuffer, offset: Int, count: Int) {
        precondition(offset >= 0 && count >= 0 && offset + count <= other.capacity && count <= capacity)
        base.copyMemory(from: other.base + offset, byteCount: count)
    }
}
