internal import Sockets

/// Bytes that a stage read for inspection, and that are forwarded before anything else. Held by the
/// stages' context, and read through the leg.
struct Prelude {
    private let bytes: ByteBuffer
    private var offset = 0

    /// At least one byte, and the bytes of another prelude after it.
    init(_ bytes: [UInt8], before rest: Prelude? = nil) {
        var all = bytes
        if let rest { all += rest.all }
        self.bytes = ByteBuffer(all)
    }

    /// All bytes that are left.
    var all: [UInt8] {
        var all: [UInt8] = []
        bytes.append(count: bytes.capacity, to: &all)
        return Array(all.dropFirst(offset))
    }

    /// How many bytes are left.
    var count: Int { bytes.capacity - offset }

    /// Copies bytes to the start of a buffer, at most `limit`. Returns their number.
    func peek(into buffer: ByteBuffer, limit: Int) -> Int {
        let count = min(count, limit, buffer.capacity)
        buffer.fill(from: bytes, offset: offset, count: count)
        return count
    }

    /// Moves bytes to the start of a buffer, at most `limit`. Returns their number.
    mutating func read(into buffer: ByteBuffer, limit: Int) -> Int {
        let count = peek(into: buffer, limit: limit)
        offset += count
        return count
    }
}
