/// Writes JSON in the order of the calls. Keys are Tapline's own words and are not escaped; every text is.
///
/// A value, confined to its writer.
public struct JSONText {
    /// The output so far.
    public private(set) var bytes: [UInt8] = []
    /// Whether the current object or list already has an element.
    private var needsComma = false

    /// An empty text.
    public init() {}

    // MARK: Values of a list, or the whole

    /// An object.
    public mutating func object(_ body: (inout JSONText) -> Void) {
        begin()
        bytes.append(UInt8(ascii: "{"))
        needsComma = false
        body(&self)
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    /// An object that begins with the fields of a line.
    public mutating func object(
        beginningWith fields: (inout FieldLine, inout [UInt8]) -> Void, _ body: (inout JSONText) -> Void
    ) {
        begin()
        var line = FieldLine(.json, in: &bytes)
        fields(&line, &bytes)
        needsComma = true
        body(&self)
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    /// A text.
    public mutating func element(_ text: String) {
        begin()
        bytes.append(quoted: text)
        needsComma = true
    }

    /// A whole number.
    public mutating func element(number: some BinaryInteger) {
        begin()
        bytes.append(decimal: number)
        needsComma = true
    }

    /// A value that was read.
    public mutating func element(_ value: JSONValue) {
        begin()
        value.append(to: &bytes)
        needsComma = true
    }

    /// Starts a list that `endList` ends: for long ones that are sent in pieces.
    public mutating func beginList(_ key: String) {
        begin(key)
        bytes.append(UInt8(ascii: "["))
        needsComma = false
    }

    /// Ends the list of `beginList`.
    public mutating func endList() {
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    /// Starts the outermost object, which `endWhole` ends.
    public mutating func beginWhole() {
        bytes.append(UInt8(ascii: "{"))
        needsComma = false
    }

    /// Ends the object of `beginWhole`.
    public mutating func endWhole() {
        bytes.append(UInt8(ascii: "}"))
    }

    /// Removes and returns the output so far; later output continues it.
    public mutating func takeBytes() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }

    // MARK: Entries of an object

    /// An object under a key.
    public mutating func object(_ key: String, _ body: (inout JSONText) -> Void) {
        begin(key)
        needsComma = false
        object(body)
    }

    /// A list under a key.
    public mutating func list<Element>(
        _ key: String, _ elements: some Sequence<Element>, _ body: (inout JSONText, Element) -> Void
    ) {
        beginList(key)
        for element in elements { body(&self, element) }
        endList()
    }

    /// A text or null.
    public mutating func add(_ key: String, _ text: String?) {
        begin(key)
        if let text { bytes.append(quoted: text) } else { bytes.append("null") }
        needsComma = true
    }

    /// A whole number or null.
    public mutating func add(_ key: String, number: (some BinaryInteger)?) {
        begin(key)
        if let number { bytes.append(decimal: number) } else { bytes.append("null") }
        needsComma = true
    }

    /// A finite number with three decimals.
    public mutating func add(_ key: String, decimal number: Double) {
        begin(key)
        bytes.append(decimal: number, digits: 3)
        needsComma = true
    }

    /// A boolean.
    public mutating func add(_ key: String, _ flag: Bool) {
        begin(key)
        bytes.append(flag ? "true" : "false")
        needsComma = true
    }

    /// A time or null.
    public mutating func add(_ key: String, time: Timestamp?) {
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
    public mutating func addNull(_ key: String) {
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
