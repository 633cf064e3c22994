/// The records that the first handshake message of a TLS connection comes in, as they are there so far (RFC 8446, section
/// 5.1): where each one's piece of the message lies, told from one look at every byte however the bytes arrive.
struct HandshakeRecords {
    /// What the bytes so far come to.
    enum Progress {
        /// All of it are records of the handshake, and more may come.
        case going
        /// What follows is no record of the handshake, or no message begins in it.
        case ended
    }

    /// How much of the message is there.
    private(set) var gathered = 0
    /// The message's first four bytes, its type and its length, as far as they are there.
    private var head: UInt32 = 0
    /// Where the record begins, or goes on, that has not been looked at.
    private var position = 0
    /// How much of the record at `position` is still to come.
    private var remaining = 0

    /// The message's type; nil before its first byte.
    var type: UInt8? {
        gathered > 0 ? UInt8(truncatingIfNeeded: head >> (8 * UInt32(min(gathered, 4) - 1))) : nil
    }

    /// The message's length with its head of four bytes; nil before that is there.
    var length: Int? { gathered >= 4 ? 4 + Int(head & 0xFF_FFFF) : nil }

    /// Goes on where it stood. `piece` is given what of the bytes belongs to the message, in order.
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

    /// Whether bytes can be the beginning of a record of type handshake, version 3.x, with something in it and 2^14 bytes
    /// at most; so far as they are there.
    static func isRecord(_ bytes: ArraySlice<UInt8>) -> Bool {
        for (place, byte) in bytes.prefix(3).enumerated() {
            if place == 0 && byte != 22 || place == 1 && byte != 3 { return false }
        }
        guard bytes.count >= 5 else { return true }
        let length = Int(bytes[bytes.startIndex + 3]) << 8 | Int(bytes[bytes.startIndex + 4])
        return (1...16_384).contains(length)
    }
}

extension Hello {
    /// The hello that bytes begin with, as far as it is there: nil where they begin with something else, or with less than
    /// a record's head and one byte of it.
    public init?(beginningOf bytes: ArraySlice<UInt8>) {
        var records = HandshakeRecords()
        var message: [UInt8] = []
        _ = records.advance(over: bytes) { message += $0 }
        self.init(message: message[...])
    }
}
