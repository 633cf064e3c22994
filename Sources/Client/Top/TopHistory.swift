import Text

/// The rates before `tapline top` started, for its graphs: `GET /v1/history` as one value a second. Pure.
struct TopHistory: Hashable, Sendable {
    /// Bytes a second of all relays, oldest first; the last value is a second old.
    private(set) var up: [UInt64] = []
    private(set) var down: [UInt64] = []

    /// Of the API's answer, of at most this number of seconds.
    init(_ answer: JSONValue, seconds: Int) {
        // Oldest first.
        let ages = answer["age_ms"].elements.map { $0.count ?? .max }
        let rates = ["rate_up", "rate_down"].map { answer["total"][$0].elements.map { $0.count ?? 0 } }
        let known = min(ages.count, rates[0].count, rates[1].count)
        for second in (1...seconds).reversed() {
            let age = UInt64(second) * 1000
            // A rate is that of the time before its sample. Samples are more than a second apart where there are many
            // connections, and before the first one nothing is known.
            guard let sample = ages[..<known].firstIndex(where: { $0 <= age }), sample > 0 || age - ages[0] < 1000
            else { continue }
            up.append(rates[0][sample])
            down.append(rates[1][sample])
        }
    }
}
