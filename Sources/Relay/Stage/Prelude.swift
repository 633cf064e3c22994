internal import Sockets

/// Bytes that a stage read for inspection, and that are forwarded before anything else. Held by their leg.
struct Prelude {
    private let bytes: ByteBuffer
    private var offset = 0

    /// At least one byte.
    init(_ bytes: [UInt8]) {
        self.bytes = ByteBuffer(bytes)
    }

    /// How many bytes are left.
    var count: Int { bytes.capacity - offset }

    /// Moves bytes to the start of a buffer, at most `limit`. Returns their number.
    mutating func read(into buffer: ByteBuffer, limit: Int) -> Int {
        let moved = min(count, limit, buffer.capacity)
        buffer.fill(from: bytes, offset: offset, count: moved)
        offset += moved
        return moved
    }
}
