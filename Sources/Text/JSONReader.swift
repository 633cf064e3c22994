/// Reads one JSON value (RFC 8259) from untrusted bytes, with at most 64 levels of nesting.
public struct JSONReader {
    /// The bytes are not JSON.
    public struct Mistake: Error, Hashable, Sendable, CustomStringConvertible {
        /// The position in bytes from the start.
        public let offset: Int

        /// The position, in words.
        public var description: String { "invalid JSON at byte \(offset)" }
    }

    private static let deepest = 64

    private let bytes: [UInt8]
    private var index = 0

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Reads all bytes as one value.
    public static func read(_ bytes: [UInt8]) throws(Mistake) -> JSONValue {
        var reader = JSONReader(bytes)
        let value = try reader.value(depth: 0)
        reader.skipSpace()
        guard reader.index == bytes.count else { throw reader.mistake }
        return value
    }

    private var mistake: Mistake { Mistake(offset: index) }

    private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || (0x09...0x0A).contains(byte) || byte == 0x0D { index += 1 }
    }

    /// Skips the byte if it comes next.
    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    private mutating func value(depth: Int) throws(Mistake) -> JSONValue {
        guard depth < Self.deepest else { throw mistake }
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return try object(depth)
        case UInt8(ascii: "["): return try array(depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .boolean(true))
        case UInt8(ascii: "f"): return try word("false", .boolean(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(Mistake) -> JSONValue {
        guard bytes[index...].starts(with: word.utf8) else { throw mistake }
        index += word.utf8.count
        return value
    }

    private mutating func object(_ depth: Int) throws(Mistake) -> JSONValue {
        index += 1
        var members: [JSONValue.Member] = []
        skipSpace()
        if take("}") { return .object(members) }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw mistake }
            let key = try string()
            skipSpace()
            guard take(":") else { throw mistake }
            members.append(JSONValue.Member(key: key, value: try value(depth: depth + 1)))
            skipSpace()
            if take("}") { return .object(members) }
            guard take(",") else { throw mistake }
        }
    }

    private mutating func array(_ depth: Int) throws(Mistake) -> JSONValue {
        index += 1
        var elements: [JSONValue] = []
        skipSpace()
        if take("]") { return .array(elements) }
        while true {
            elements.append(try value(depth: depth + 1))
            skipSpace()
            if take("]") { return .array(elements) }
            guard take(",") else { throw mistake }
        }
    }

    /// `-12.5e3`, as its text (RFC 8259, section 6).
    private mutating func number() throws(Mistake) -> String {
        let start = index
        _ = take("-")
        if take("0") {
            guard !isDigit(next) else { throw mistake }
        } else if digits() == 0 {
            throw mistake
        }
        if take("."), digits() == 0 { throw mistake }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            if digits() == 0 { throw mistake }
        }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    private func isDigit(_ byte: UInt8?) -> Bool {
        byte.map { (0x30...0x39).contains($0) } ?? false
    }

    private mutating func digits() -> Int {
        let start = index
        while isDigit(next) { index += 1 }
        return index - start
    }

    private mutating func string() throws(Mistake) -> String {
        index += 1
        var text: [UInt8] = []
        while let byte = next {
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0x00..<0x20: throw mistake
            default: text.append(byte)
            }
        }
        throw mistake
    }

    private mutating func escape(into text: inout [UInt8]) throws(Mistake) {
        guard let byte = next else { throw mistake }
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code = UInt32(try unit())
            // A surrogate pair is one character beyond the first plane; half of a pair is invalid.
            if (0xD800...0xDBFF).contains(code), take("\\"), take("u") {
                let low = UInt32(try unit())
                code = (0xDC00...0xDFFF).contains(low) ? 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00) : 0xFFFD
            }
            let scalar = Unicode.Scalar(code) ?? "\u{FFFD}"
            text.append(contentsOf: Character(scalar).utf8)
        default: throw mistake
        }
    }

    private mutating func unit() throws(Mistake) -> UInt16 {
        guard index + 4 <= bytes.count else { throw mistake }
        let digits = String(decoding: bytes[index..<index + 4], as: UTF8.self)
        // `UInt16` would accept a sign.
        guard digits.first?.isHexDigit == true, let unit = UInt16(digits, radix: 16) else { throw mistake }
        index += 4
        return unit
    }
}
