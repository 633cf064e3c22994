/// A JSON value (RFC 8259). Members keep their order and numbers their text, so that writing it reproduces what was
/// read. Any thread.
public enum JSONValue: Hashable, Sendable {
    /// `null`.
    case null
    /// `true` or `false`.
    case boolean(Bool)
    /// A number, as its text.
    case number(String)
    /// A text.
    case string(String)
    /// A list.
    case array([JSONValue])
    /// Members in their order.
    case object([Member])

    /// A key of an object with its value.
    public struct Member: Hashable, Sendable {
        /// The key.
        public var key: String
        /// The value.
        public var value: JSONValue

        /// A member.
        public init(key: String, value: JSONValue) {
            self.key = key
            self.value = value
        }
    }

    // MARK: Looking into it

    /// The value of a key; null where the key is missing or the value is not an object.
    public subscript(key: String) -> JSONValue {
        guard case .object(let members) = self else { return .null }
        return members.first { $0.key == key }?.value ?? .null
    }

    /// The elements of an array; empty for other values.
    public var elements: [JSONValue] {
        if case .array(let elements) = self { elements } else { [] }
    }

    /// The members of an object; empty for other values.
    public var members: [Member] {
        if case .object(let members) = self { members } else { [] }
    }

    /// The text of a string.
    public var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// A whole number that is not negative.
    public var count: UInt64? {
        if case .number(let text) = self { UInt64(text) } else { nil }
    }

    /// A number.
    public var double: Double? {
        if case .number(let text) = self { Double(text) } else { nil }
    }

    /// Whether it is `true`.
    public var isTrue: Bool { self == .boolean(true) }

    /// Whether it is `null` or missing.
    public var isNull: Bool { self == .null }

    // MARK: Writing it

    /// The value on one line, harmless for a terminal.
    public var line: String {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends the value without spaces.
    public func append(to bytes: inout [UInt8]) {
        switch self {
        case .null: bytes.append("null")
        case .boolean(let isTrue): bytes.append(isTrue ? "true" : "false")
        case .number(let text): bytes.append(text)
        case .string(let text): bytes.append(quoted: text)
        case .array(let elements):
            bytes.append("[")
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(",") }
                element.append(to: &bytes)
            }
            bytes.append("]")
        case .object(let members):
            bytes.append("{")
            for (index, member) in members.enumerated() {
                if index > 0 { bytes.append(",") }
                bytes.append(quoted: member.key)
                bytes.append(":")
                member.value.append(to: &bytes)
            }
            bytes.append("}")
        }
    }
}
