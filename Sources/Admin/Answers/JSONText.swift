internal import Relay
internal import Text

/// Writes JSON in the order of the calls. Keys are Tapline's own words and are not escaped; every text is.
///
/// A value, confined to its writer.
struct JSONText {
    /// The output so far.
    private(set) var bytes: [UInt8] = []
    /// Whether the current object or list already has an element.
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

    /// Removes and returns the output so far; later output continues it.
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

    /// A text or null.
    mutating func add(_ key: String, _ text: String?) {
        begin(key)
        if let text { bytes.append(quoted: text) } else { bytes.append("null") }
        needsComma = true
    }

    /// A whole number or null.
    mutating func add(_ key: String, number: (some BinaryInteger)?) {
        begin(key)
        if let number { bytes.append(decimal: number) } else { bytes.append("null") }
        needsComma = true
    }

    /// A finite number with three decimals.
    mutating func add(_ key: String, decimal number: Double) {
        begin(key)
        bytes.append(decimal: number, digits: 3)
        needsComma = true
    }

    /// A boolean.
    mutating func add(_ key: String, _ flag: Bool) {
        begin(key)
        bytes.append(flag ? "true" : "false")
        needsComma = true
    }

    /// A time or null.
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

    /// Null, under a key.
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
    /// Appends a number with this many decimals, saturated to the largest that fits.
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
