/// Finds the key that a misspelt one was probably meant to be.
package enum NearestKey {
    /// The candidate with the smallest edit distance; nil when every distance is too large.
    ///
    /// `-` equals `_`, and upper case equals lower case, because other programs' files use `maxConnections` or `half-close`.
    /// A prefix of three letters or more that only one candidate has means that candidate: `warn`, `err`.
    package static func find(_ text: String, in candidates: [String]) -> String? {
        let typed = folded(text)
        // Longer than any key: not a typing mistake, and not worth a quadratic comparison.
        guard typed.count <= 64 else { return nil }
        let begun = candidates.filter { folded($0).starts(with: typed) }
        if typed.count >= 3, begun.count == 1 { return begun[0] }
        let letters = typed.sorted()
        let scored = candidates.map { candidate in
            let key = folded(candidate)
            // All letters in another order (`adnim`) are one mistake of typing, although several edits.
            let most = key.sorted() == letters ? 1 : Int.max
            return (name: candidate, distance: min(most, distance(typed, key)))
        }
        guard let best = scored.min(by: { ($0.distance, $0.name) < ($1.distance, $1.name) }) else { return nil }
        return best.distance <= max(1, min(typed.count, best.name.count) / 3) ? best.name : nil
    }

    private static func folded(_ text: String) -> [UInt8] {
        text.lowercased().utf8.map { $0 == UInt8(ascii: "-") ? UInt8(ascii: "_") : $0 }
    }

    /// The number of insertions, deletions, replacements and transpositions between two texts (the "optimal string
    /// alignment" distance of Damerau and Levenshtein).
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
