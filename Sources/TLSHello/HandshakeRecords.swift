/// The TLS records that carry the first handshake message of a connection, as far as received (RFC 8446, section 5.1).
/// Finds each record's part of the message and examines every byte once, whatever the segmentation.
struct HandshakeRecords {
    /// The state after the bytes so far.
    enum Progress {
        /// All bytes are handshake records, and more may follow.
        case going
        /// The next bytes are not a handshake record, or no message begins in it.
        case ended
    }

    /// The number of message bytes received.
    private(set) var gathered = 0
    /// The message's header of four bytes (type and length), as far as received.
    private var head: UInt32 = 0
    /// The position of the first byte that was not examined: the start or the middle of a record.
    private var position = 0
    /// The number of bytes left in the record at `position`.
    private var remaining = 0

    /// The message's type; nil before its first byte.
    var type: UInt8? {
        gathered > 0 ? UInt8(truncatingIfNeeded: head >> (8 * UInt32(min(gathered, 4) - 1))) : nil
    }

    /// The message's length with its header of four bytes; nil before the header is complete.
    var length: Int? { gathered >= 4 ? 4 + Int(head & 0xFF_FFFF) : nil }

    /// Continues at `position`, and passes the message's bytes to `piece`, in order.
    mutating func advance(over bytes: ArraySlice<UInt8>, _ piece: (ArraySlice<UInt8>) -> Void = { _ in }) -> Progress {
        while true {
            let rest = bytes.dropFirst(position)
            if remaining == 0 {
                guard Self.isRecord(rest) else { return .ended }
                guard rest.count >= 5 else { return .going }
                remaining = Int(rest[rest.startIndex + 3]) << 8 | Int(rest[rest.startIndex + 4])
                position += 5
                continue
            }
            let part = rest.prefix(remaining)
            guard !part.isEmpty else { return .going }
            for byte in part.prefix(max(0, 4 - gathered)) { head = head << 8 | UInt32(byte) }
            gathered += part.count
            position += part.count
            remaining -= part.count
            piece(part)
        }
    }

    /// Whether bytes can begin a record of type handshake, version 3.x, with 1 to 2^14 bytes, as far as received.
    static func isRecord(_ bytes: ArraySlice<UInt8>) -> Bool {
        for (index, byte) in bytes.prefix(3).enumerated() {
            if index == 0 && byte != 22 || index == 1 && byte != 3 { return false }
        }
        guard bytes.count >= 5 else { return true }
        let length = Int(bytes[bytes.startIndex + 3]) << 8 | Int(bytes[bytes.startIndex + 4])
        return (1...16_384).contains(length)
    }
}

extension Hello {
    /// The possibly incomplete hello at the start of the bytes; nil if they begin with something else, or with less
    /// than a record header and one byte.
    public init?(beginningOf bytes: ArraySlice<UInt8>) {
        var records = HandshakeRecords()
        var message: [UInt8] = []
        _ = records.advance(over: bytes) { message += $0 }
        self.init(message: message[...])
    }
}
