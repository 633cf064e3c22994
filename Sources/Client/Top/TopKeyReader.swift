import Text

/// Decodes the bytes of a terminal's keys (ECMA-48, and xterm's sequences for cursor and page keys). Pure.
struct TopKeyReader {
    private var pending: [UInt8] = []

    /// Whether a sequence has begun: either its rest follows at once, or the Escape key was pressed.
    var isInSequence: Bool { pending.first == 0x1B }

    /// Adds bytes, and returns the keys that are complete.
    mutating func decode(_ bytes: [UInt8]) -> [TopKey] {
        pending += bytes
        var keys: [TopKey] = []
        while let (key, length) = Self.next(pending[...]) {
            if let key { keys.append(key) }
            pending.removeFirst(length)
        }
        // No key has a longer sequence.
        if pending.count > 32 { pending.removeAll() }
        return keys
    }

    /// Nothing followed: a pending escape was the Escape key.
    mutating func endSequence() -> [TopKey] {
        defer { pending.removeAll() }
        return pending == [0x1B] ? [.escape] : []
    }

    /// The first key and its length in bytes; a nil key is one without a meaning here. Nil: more bytes are needed.
    private static func next(_ bytes: ArraySlice<UInt8>) -> (TopKey?, Int)? {
        guard let first = bytes.first else { return nil }
        switch first {
        case 0x1B: return sequence(bytes.dropFirst())
        case 0x03: return (.interrupt, 1)
        case 0x0C: return (.redraw, 1)
        case 0x0E: return (.down, 1)
        case 0x10: return (.up, 1)
        case 0x1A: return (.suspend, 1)
        case 0x0A, 0x0D: return (.enter, 1)
        case 0x08, 0x7F: return (.backspace, 1)
        case 0x00..<0x20: return (nil, 1)
        default: return character(bytes)
        }
    }

    private static func character(_ bytes: ArraySlice<UInt8>) -> (TopKey?, Int)? {
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        let length =
            bytes[bytes.startIndex] < 0x80
            ? 1 : bytes[bytes.startIndex] < 0xE0 ? 2 : bytes[bytes.startIndex] < 0xF0 ? 3 : 4
        if bytes.count < length { return nil }
        guard case .scalarValue(let scalar) = decoder.decode(&iterator) else { return (nil, 1) }
        return (scalar.actsOnReader ? nil : .character(Character(scalar)), UTF8.width(scalar))
    }

    /// The rest of an escape sequence: `[A`, `OA`, `[5~`.
    private static func sequence(_ rest: ArraySlice<UInt8>) -> (TopKey?, Int)? {
        guard let introducer = rest.first else { return nil }
        guard introducer == UInt8(ascii: "[") || introducer == UInt8(ascii: "O") else {
            // Escape before another key, or a key with Alt, which has no meaning here.
            return (.escape, 1)
        }
        let body = rest.dropFirst()
        guard let end = body.firstIndex(where: { (0x40...0x7E).contains($0) }) else { return nil }
        let length = end - rest.startIndex + 2
        let key: TopKey? =
            switch (body[end], body[..<end].first) {
            case (UInt8(ascii: "A"), _): .up
            case (UInt8(ascii: "B"), _): .down
            case (UInt8(ascii: "H"), _): .home
            case (UInt8(ascii: "F"), _): .end
            case (UInt8(ascii: "~"), UInt8(ascii: "1")), (UInt8(ascii: "~"), UInt8(ascii: "7")): .home
            case (UInt8(ascii: "~"), UInt8(ascii: "4")), (UInt8(ascii: "~"), UInt8(ascii: "8")): .end
            case (UInt8(ascii: "~"), UInt8(ascii: "5")): .pageUp
            case (UInt8(ascii: "~"), UInt8(ascii: "6")): .pageDown
            default: nil
            }
        return (key, length)
    }
}
