internal import Relay
internal import Text

/// JSON as it is written, byte by byte, in the order of the calls. Keys are words of Tapline's own, and are written as
/// they are; every text is escaped.
///
/// A value, confined to its writer.
struct JSONText {
    /// What is written so far.
    private(set) var bytes: [UInt8] = []
    /// Something stands before in the object or list that is being written.
    private var needsComma = false

    // MARK: Values of a list, or the whole

    /// An object.
    mutating func object(_ body: (inout JSONText) -> Void) {
        begin()
        bytes.append(UInt8(ascii: "{"))
        needsComma = false
        body(&self)
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    /// An object that begins with the end record's keys.
    mutating func object(of record: ConnectionRecord, _ body: (inout JSONText) -> Void = { _ in }) {
        begin()
        var line = FieldLine(.json, in: &bytes)
        record.addFields(to: &line, in: &bytes)
        needsComma = true
        body(&self)
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    /// A text.
    mutating func element(_ text: String) {
        begin()
        bytes.append(quoted: text)
        needsComma = true
    }

    /// Starts a list whose end is written with `endList`: for long ones that leave in pieces.
    mutating func beginList(_ key: String) {
        begin(key)
        bytes.append(UInt8(ascii: "["))
        needsComma = false
    }

    /// Ends a list that was started with `beginList`.
    mutating func endList() {
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    /// Starts the whole as an object, which `endWhole` ends.
    mutating func beginWhole() {
        bytes.append(UInt8(ascii: "{"))
        needsComma = false
    }

    /// Ends what `beginWhole` started.
    mutating func endWhole() {
        bytes.append(UInt8(ascii: "}"))
    }

    /// Hands over what is written so far; what follows is written behind it.
    mutating func takeBytes() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }

    // MARK: Entries of an object

    /// An object under a key.
    mutating func object(_ key: String, _ body: (inout JSONText) -> Void) {
        begin(key)
        needsComma = false
        object(body)
    }

    /// A list under a key.
    mutating func list<Element>(
        _ key: String, _ elements: some Sequence<Element>, _ body: (inout JSONText, Element) -> Void
    ) {
        beginList(key)
        for element in elements { body(&self, element) }
        endList()
    }

    /// A text, or the absence of it.
    mutating func add(_ key: String, _ text: String?) {
        begin(key)
        if let text { bytes.append(quoted: text) } else { bytes.append("null") }
        needsComma = true
    }

    /// A whole number, or the absence of it.
    mutating func add(_ key: String, number: (some BinaryInteger)?) {
        begin(key)
        if let number { bytes.append(decimal: number) } else { bytes.append("null") }
        needsComma = true
    }

    /// A number with three digits behind the point; it is finite.
    mutating func add(_ key: String, decimal number: Double) {
        begin(key)
        bytes.append(decimal: number, digits: 3)
        needsComma = true
    }

    /// Yes or no.
    mutating func add(_ key: String, _ flag: Bool) {
        begin(key)
        bytes.append(flag ? "true" : "false")
        needsComma = true
    }

    /// A moment, or the absence of it.
    mutating func add(_ key: String, time: Timestamp?) {
        begin(key)
        if let time {
            bytes.append(UInt8(ascii: "\""))
            time.append(to: &bytes)
            bytes.append(UInt8(ascii: "\""))
        } else {
            bytes.append("null")
        }
        needsComma = true
    }

    /// Nothing, under a key.
    mutating func addNull(_ key: String) {
        begin(key)
        bytes.append("null")
        needsComma = true
    }

    private mutating func begin(_ key: String) {
        begin()
        bytes.append(UInt8(ascii: "\""))
        bytes.append(key)
        bytes.append("\":")
    }

    private mutating func begin() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = false
    }
}

extension [UInt8] {
    /// Appends a number with this many digits behind the point; one that does not fit becomes the largest that does.
    mutating func append(decimal number: Double, digits: Int) {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = (number.magnitude * scale).rounded()
        let whole = UInt64(saturating: scaled)
        if number < 0 && whole > 0 { append(UInt8(ascii: "-")) }
        append(decimal: whole / UInt64(scale))
        append(UInt8(ascii: "."))
        append(decimal: whole % UInt64(scale), width: digits)
    }
}
