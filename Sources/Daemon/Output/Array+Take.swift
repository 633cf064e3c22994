extension Array {
    /// Removes the elements that the predicate holds for, and returns them. Each is asked once: where another thread can
    /// change the answer, whoever asks once for what to return and once for what to remove loses those in between.
    mutating func take(where isWanted: (Element) throws -> Bool) rethrows -> [Element] {
        var taken: [Element] = []
        var rest: [Element] = []
        for element in self {
            if try isWanted(element) { taken.append(element) } else { rest.append(element) }
        }
        self = rest
        return taken
    }
}
