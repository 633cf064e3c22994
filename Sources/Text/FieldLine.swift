/// The format of lines.
public enum LineFormat: String, CaseIterable, Hashable, Sendable {
    /// `key=value` for people, JSON for programs.
    case text, json
}

/// A writer for one line of keys and values: a JSON object, or `key=value` pairs separated by spaces.
///
/// In text, a value is bare if it is printable ASCII without spaces, quotes, backslashes and equals signs, and is not
/// the word `null`; otherwise it is a JSON string. So a bare `null` always means that there is no value. Keys are
/// Tapline's own words and are not escaped.
public struct FieldLine {
    private let format: LineFormat
    private var isFirst = true

    /// Begins a line at the end of the bytes.
    public init(_ format: LineFormat, in bytes: inout [UInt8]) {
        self.format = format
        if format == .json { bytes.append(UInt8(ascii: "{")) }
    }

    /// Adds text; nil is written as `null`.
    public mutating func add(_ key: String, _ text: String?, to bytes: inout [UInt8]) {
        begin(key, in: &bytes)
        guard let text else {
            bytes.append("null")
            return
        }
        if format == .text, Self.isBare(text) {
            bytes.append(text)
        } else {
            bytes.append(quoted: text)
        }
    }

    /// Adds a number; nil is written as `null`.
    public mutating func add(_ key: String, number: (some BinaryInteger)?, to bytes: inout [UInt8]) {
        begin(key, in: &bytes)
        if let number {
            bytes.append(decimal: number)
        } else {
            bytes.append("null")
        }
    }

    /// Adds `true` or `false`.
    public mutating func add(_ key: String, flag: Bool, to bytes: inout [UInt8]) {
        begin(key, in: &bytes)
        bytes.append(flag ? "true" : "false")
    }

    /// Adds a timestamp; nil is written as `null`.
    public mutating func add(_ key: String, _ time: Timestamp?, to bytes: inout [UInt8]) {
        begin(key, in: &bytes)
        guard let time else {
            bytes.append("null")
            return
        }
        if format == .json { bytes.append(UInt8(ascii: "\"")) }
        time.append(to: &bytes)
        if format == .json { bytes.append(UInt8(ascii: "\"")) }
    }

    /// Adds bytes as a Base64 string.
    public mutating func add(_ key: String, base64 data: ArraySlice<UInt8>, to bytes: inout [UInt8]) {
        begin(key, in: &bytes)
        bytes.append(UInt8(ascii: "\""))
        bytes.append(base64: data)
        bytes.append(UInt8(ascii: "\""))
    }

    /// Ends the line.
    public func end(in bytes: inout [UInt8]) {
        if format == .json { bytes.append(UInt8(ascii: "}")) }
        bytes.append(UInt8(ascii: "\n"))
    }

    private mutating func begin(_ key: String, in bytes: inout [UInt8]) {
        switch format {
        case .json:
            if !isFirst { bytes.append(UInt8(ascii: ",")) }
            bytes.append(UInt8(ascii: "\""))
            bytes.append(key)
            bytes.append("\":")
        case .text:
            if !isFirst { bytes.append(UInt8(ascii: " ")) }
            bytes.append(key)
            bytes.append(UInt8(ascii: "="))
        }
        isFirst = false
    }

    private static func isBare(_ text: String) -> Bool {
        guard !text.isEmpty, text != "null" else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "="): false
            default: byte > 0x20 && byte < 0x7F
            }
        }
    }
}
