import Terminal
package import Text

/// The result of a request to reset a connection, as text. Pure.
package enum KillText {
    /// `killed 12 of web: 127.0.0.1:54980 → db:5432, after 3m05s with 1.20 KiB up and 3.00 MiB down`
    package static func line(_ connection: JSONValue) -> String {
        let text = { (key: String) in (connection[key].text ?? "?").harmless }
        return "killed \(connection["id"].count ?? 0) of \(text("relay")): \(text("client")) → \(text("upstream")), "
            + "after \(Words.duration(connection["age_ms"].count)) with \(Words.size(connection["bytes_up"].count)) up and "
            + "\(Words.size(connection["bytes_down"].count)) down"
    }

    package static func refusal(_ id: UInt64, _ connection: JSONValue?) -> String {
        guard let connection, connection["state"].text == "closed" else {
            return "no connection \(id) is open, and none of that id has ended lately"
        }
        let reason = (connection["reason"].text ?? "?").harmless
        return "connection \(id) is not open: it ended at \(Words.clock(connection["time"].text)) UTC (\(reason))"
    }
}
