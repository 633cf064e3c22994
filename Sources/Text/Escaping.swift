// All escaping of text from outside: names, addresses and bytes of peers must neither control a terminal nor deceive a
// reader.

extension [UInt8] {
    /// Appends text from outside as a JSON string (RFC 8259, section 7), in double quotes. Control characters and the
    /// marks that change the direction of writing are escaped.
    public mutating func append(quoted text: String) {
        append(UInt8(ascii: "\""))
        append(escaped: text, quoting: true)
        append(UInt8(ascii: "\""))
    }

    /// Appends text from outside without quotes, up to the end of a line: control characters are escaped, quotes and
    /// backslashes are not.
    public mutating func append(escaped text: String) {
        append(escaped: text, quoting: false)
    }

    private mutating func append(escaped text: String, quoting: Bool) {
        if text.utf8.allSatisfy({ Self.isPlain($0) && !(quoting && Self.isQuotedSpecially($0)) }) {
            append(contentsOf: text.utf8)
            return
        }
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"" where quoting: append("\\\"")
            case "\\" where quoting: append("\\\\")
            case "\n": append("\\n")
            case "\r": append("\\r")
            case "\t": append("\\t")
            case let scalar where scalar.actsOnReader:
                append("\\u")
                append(hexadecimal: scalar.value, width: 4)
            case let scalar: append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
            }
        }
    }

    private static func isPlain(_ byte: UInt8) -> Bool { byte >= 0x20 && byte < 0x7F }

    private static func isQuotedSpecially(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    /// Appends a help text of Prometheus' exposition format, which escapes the backslash and the newline only.
    public mutating func append(helpText text: String) {
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": append("\\\\")
            case "\n": append("\\n")
            default: append(String(scalar))
            }
        }
    }

    /// Appends the value of a label of Prometheus' exposition format, without its quotes.
    public mutating func append(labelValue text: String) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): append("\\\\")
            case UInt8(ascii: "\""): append("\\\"")
            case UInt8(ascii: "\n"): append("\\n")
            default: append(byte)
            }
        }
    }

    /// The least number of zero bytes in a row that are shown as their number.
    private static let shortenedZeros = 5

    /// Appends bytes as lines for a terminal: newline and tab stay, a carriage return before a newline is not shown, and
    /// a row of zero bytes becomes `[\x00 × 24]`. Other control characters, and without `showsUnicode` all bytes beyond
    /// ASCII, become `\x1b`. A missing last newline is added.
    public mutating func append(printable bytes: [UInt8], showsUnicode: Bool) {
        var index = 0
        while index < bytes.count {
            var end = index
            while end < bytes.count, Self.isPlainInLines(bytes[end]) { end += 1 }
            if end > index {
                append(contentsOf: bytes[index..<end])
                index = end
                continue
            }
            let byte = bytes[index]
            if byte == UInt8(ascii: "\r") {
                let isLineEnd = index + 1 < bytes.count && bytes[index + 1] == UInt8(ascii: "\n")
                if !isLineEnd { append("\\r") }
                index += 1
            } else if byte == 0 {
                index += append(zerosOf: bytes, from: index, showsUnicode: showsUnicode)
            } else {
                let length = showsUnicode && byte >= 0x80 ? Self.lengthOfHarmlessScalar(at: bytes[index...]) : 0
                if length > 0 { append(contentsOf: bytes[index..<index + length]) } else { append(escapedByte: byte) }
                index += Swift.max(length, 1)
            }
        }
        if bytes.last != UInt8(ascii: "\n") { append("\n") }
    }

    /// Appends a row of zero bytes, as their number if it is long; returns the number.
    private mutating func append(zerosOf bytes: [UInt8], from start: Int, showsUnicode: Bool) -> Int {
        var end = start
        while end < bytes.count, bytes[end] == 0 { end += 1 }
        if end - start >= Self.shortenedZeros {
            append("[\\x00 \(showsUnicode ? "×" : "x") \(end - start)]")
        } else {
            for _ in start..<end { append(escapedByte: 0) }
        }
        return end - start
    }

    fileprivate mutating func append(escapedByte byte: UInt8) {
        append(UInt8(ascii: "\\"))
        append(UInt8(ascii: "x"))
        append(hexByte: byte)
    }

    private static func isPlainInLines(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte < 0x7F || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\t")
    }

    /// The length in bytes of the character at the start; 0 where it is not valid UTF-8 or could control the terminal.
    private static func lengthOfHarmlessScalar(at bytes: ArraySlice<UInt8>) -> Int {
        var decoder = UTF8()
        var iterator = bytes.prefix(4).makeIterator()
        guard case .scalarValue(let scalar) = decoder.decode(&iterator), !scalar.isASCII, !scalar.actsOnReader else {
            return 0
        }
        return UTF8.width(scalar)
    }
}

/// How bytes that are not plain are written among printable ASCII.
public enum ByteEscapes: Sendable {
    /// All as `\x0a`, quotes and backslashes included.
    case hexadecimal
    /// Quotes and backslashes as `\"` and `\\`, the ends of lines as `\r\n`, all others as `\x1b`.
    case backslashes
}

extension String {
    /// A peer's bytes as printable ASCII, on one line, fit for double quotes.
    public init(printableASCII bytes: some Sequence<UInt8>, escapes: ByteEscapes) {
        var text: [UInt8] = []
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                guard escapes == .backslashes else {
                    text.append(escapedByte: byte)
                    continue
                }
                text += [UInt8(ascii: "\\"), byte]
            case 0x20..<0x7F: text.append(byte)
            case UInt8(ascii: "\r") where escapes == .backslashes: text.append("\\r")
            case UInt8(ascii: "\n") where escapes == .backslashes: text.append("\\n")
            default: text.append(escapedByte: byte)
            }
        }
        self.init(decoding: text, as: UTF8.self)
    }

    /// The text on one line, with control characters and marks that change the direction of writing escaped.
    public var harmless: String {
        if utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return self }
        var bytes: [UInt8] = []
        bytes.append(escaped: self)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The same for text of several lines.
    public var harmlessLines: String {
        split(separator: "\n", omittingEmptySubsequences: false).map { String($0).harmless }.joined(separator: "\n")
    }

    /// The same as `harmless`; in ASCII without `showsUnicode`, with `?` for every other character.
    public func harmless(showsUnicode: Bool) -> String {
        let escaped = harmless
        if showsUnicode { return escaped }
        return escaped.unicodeScalars.reduce(into: "") { ascii, scalar in
            ascii += scalar.isASCII ? String(scalar) : scalar == "…" ? "..." : "?"
        }
    }

    /// The text with control characters and line separators as `\u{1B}`, for the messages of a configuration. Marks
    /// that change the direction of writing stay: a log escapes them with the message.
    public var withVisibleControls: String {
        var shown = ""
        for scalar in unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
            let isBreak = scalar.value == 0x2028 || scalar.value == 0x2029
            if isControl || isBreak {
                shown += scalar.escaped(asASCII: true)
            } else {
                shown.unicodeScalars.append(scalar)
            }
        }
        return shown
    }

    /// The text as a key of a `key=value` line: every character except ASCII letters, digits, `_`, `.` and `-` becomes
    /// an underscore.
    public var asKey: String {
        String(map { $0.isASCII && ($0.isLetter || $0.isNumber || "_.-".contains($0)) ? $0 : "_" })
    }
}

extension Unicode.Scalar {
    /// Control characters (C0, DEL, C1), line separators, and the marks that change the direction of writing (Unicode,
    /// section 23.2).
    public var actsOnReader: Bool {
        switch value {
        case 0x00...0x1F, 0x7F...0x9F, 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
        default: false
        }
    }
}
