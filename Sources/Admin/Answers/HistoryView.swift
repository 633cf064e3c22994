internal import Text

/// The history of the rates in the API's answers. Pure.
enum HistoryView {
    /// `GET /v1/history` at a moment, of every relay or of one.
    static func history(_ history: RateHistory, relay: String?, at now: ContinuousClock.Instant) -> [UInt8] {
        var json = JSONText()
        json.object { json in
            json.add("span_ms", number: RateHistory.span.milliseconds)
            json.list("age_ms", history.times) { $0.element(number: $1.duration(to: now).milliseconds) }
            json.object("total") { write(history.total, to: &$0) }
            let chosen = history.relays.filter { relay == nil || $0.key == relay }.sorted { $0.key < $1.key }
            json.list("relays", chosen) { json, relay in
                json.object { json in
                    json.add("name", relay.key)
                    write(relay.value, to: &json)
                }
            }
        }
        return json.bytes
    }

    private static func write(_ rates: [RateHistory.Rate], to json: inout JSONText) {
        json.list("rate_up", rates) { $0.element(number: UInt64(saturating: Double($1.up))) }
        json.list("rate_down", rates) { $0.element(number: UInt64(saturating: Double($1.down))) }
    }
}
