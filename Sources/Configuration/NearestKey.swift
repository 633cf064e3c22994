/// Finds what somebody probably meant.
enum NearestKey {
    /// The candidate with the fewest slips from the text; nil when all are too far to be a guess worth making.
    ///
    /// `-` and `_` count as the same and so do upper and lower case, for `maxConnections` and `half-close` are habits
    /// of other files. Three letters or more that only one candidate begins with are that one: `warn`, `err`.
    static func find(_ text: String, in candidates: [String]) -> String? {
        let typed = folded(text)
        // Longer than any key: not a slip, and not worth a quadratic comparison.
        guard typed.count <= 64 else { return nil }
        let begun = candidates.filter { folded($0).starts(with: typed) }
        if typed.count >= 3, begun.count == 1 { return begun[0] }
        let scored = candidates.map { (name: $0, distance: distance(typed, folded($0))) }
        guard let best = scored.min(by: { ($0.distance, $0.name) < ($1.distance, $1.name) }) else { return nil }
        return best.distance <= max(1, min(typed.count, best.name.count) / 3) ? best.name : nil
    }

    private static func folded(_ text: String) -> [UInt8] {
        text.lowercased().utf8.map { $0 == UInt8(ascii: "-") ? UInt8(ascii: "_") : $0 }
    }

    /// How many insertions, deletions, replacements and swaps of neighbours turn one into the other (the "optimal
    /// string alignment" distance of Damerau and Levenshtein).
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforeLast = [Int](repeating: 0, count: right.count + 1)
        var last = Array(0...right.count)
        for i in left.indices {
            var row = [i + 1]
            for j in right.indices {
                let replaced = last[j] + (left[i] == right[j] ? 0 : 1)
                var best = min(replaced, last[j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                    best = min(best, beforeLast[j - 1] + 1)
                }
                row.append(best)
            }
            (beforeLast, last) = (last, row)
        }
        return last[right.count]
    }
}
