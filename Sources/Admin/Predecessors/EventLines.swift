/// Finds the data of `closed` events in a stream (WHATWG HTML, section 9.2). A value.
struct EventLines {
    private static let name = Array("event: closed".utf8)
    private static let data = Array("data: ".utf8)

    private let longest: Int
    private var line: [UInt8] = []
    private var isTooLong = false
    private var isClosed = false

    /// Lines longer than `longest` bytes are skipped.
    init(longest: Int) {
        self.longest = longest
    }

    /// Adds bytes, and returns the data of the events that they complete.
    mutating func add(_ bytes: [UInt8]) -> [[UInt8]] {
        var found: [[UInt8]] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                if isClosed, !isTooLong, line.starts(with: Self.data) {
                    found.append(Array(line.dropFirst(Self.data.count)))
                }
                if !line.starts(with: Self.data) { isClosed = line == Self.name }
                line.removeAll(keepingCapacity: true)
                isTooLong = false
            } else if line.count < longest {
                line.append(byte)
            } else {
                isTooLong = true
            }
        }
        return found
    }
}
