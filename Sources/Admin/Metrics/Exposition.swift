internal import Text

/// Writes Prometheus' text exposition format, version 0.0.4. Pure.
struct Exposition {
    /// The type of a metric.
    enum Kind: String {
        case counter, gauge, histogram
    }

    /// The output so far.
    private(set) var bytes: [UInt8] = []

    /// Starts a metric. All samples of one name must follow each other.
    mutating func metric(_ name: String, _ kind: Kind, _ help: String) {
        bytes.append("# HELP \(name) ")
        bytes.append(helpText: help)
        bytes.append("\n# TYPE \(name) \(kind.rawValue)\n")
    }

    /// One whole number.
    mutating func sample(_ name: String, _ labels: [(String, String)] = [], _ value: some BinaryInteger) {
        begin(name, labels)
        bytes.append(decimal: value)
        bytes.append("\n")
    }

    /// One number with nine decimals.
    mutating func sample(_ name: String, _ labels: [(String, String)] = [], decimal value: Double) {
        begin(name, labels)
        bytes.append(decimal: value, digits: 9)
        bytes.append("\n")
    }

    /// A time in seconds, exact to the nanosecond for any length.
    mutating func sample(_ name: String, _ labels: [(String, String)] = [], nanoseconds: UInt128) {
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        begin(name, labels)
        bytes.append(decimal: seconds)
        bytes.append(".")
        bytes.append(decimal: rest, width: 9)
        bytes.append("\n")
    }

    private mutating func begin(_ name: String, _ labels: [(String, String)]) {
        bytes.append(name)
        for (index, (key, value)) in labels.enumerated() {
            bytes.append(index == 0 ? "{" : ",")
            bytes.append(key)
            bytes.append("=\"")
            bytes.append(labelValue: value)
            bytes.append("\"")
        }
        bytes.append(labels.isEmpty ? " " : "} ")
    }
}
