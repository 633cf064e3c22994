extension Array {
    /// Removes the elements that match, and returns them. The predicate is evaluated once per element: where another
    /// thread can change its result, two evaluations could lose elements.
    mutating func extract(where isWanted: (Element) throws -> Bool) rethrows -> [Element] {
        var taken: [Element] = []
        var rest: [Element] = []
        for element in self {
            if try isWanted(element) { taken.append(element) } else { rest.append(element) }
        }
        self = rest
        return taken
    }
}
