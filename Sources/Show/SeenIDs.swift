/// Connection ids as ranges, for a message. The number of ranges is bounded: after a hundred, further ids are "others".
struct SeenIDs: CustomStringConvertible {
    private var ranges: [ClosedRange<UInt64>] = []
    private var others = false

    mutating func add(_ id: UInt64) {
        if let index = ranges.lastIndex(where: { id >= $0.lowerBound && id <= $0.upperBound &+ 1 }) {
            ranges[index] = ranges[index].lowerBound...max(ranges[index].upperBound, id)
        } else if ranges.count < 100 {
            ranges.append(id...id)
        } else {
            others = true
        }
    }

    /// Whether an id was added, as far as it is known.
    func contains(_ id: UInt64) -> Bool { ranges.contains { $0.contains(id) } }

    var description: String {
        guard !ranges.isEmpty else { return "there are none" }
        let sorted = ranges.sorted { $0.lowerBound < $1.lowerBound }
        let words = sorted.prefix(10).map { range in
            range.lowerBound == range.upperBound ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
        }
        return "available: " + words.joined(separator: ", ") + (sorted.count > 10 || others ? " and others" : "")
    }
}
