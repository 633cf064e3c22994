import Terminal
import Text

/// The older processes of an upgrade, and the connections that they have, as text. Pure.
enum PredecessorText {
    /// The predecessors of `GET /v1/status`: `9365: 7 connections left, up to 9m40s`.
    static func lines(_ status: JSONValue) -> [String] {
        status["predecessors"].elements.map { predecessor in
            let id = "\(predecessor["pid"].count ?? 0): "
            guard let open = predecessor["open_connections"].count else {
                return id + (predecessor["trouble"].text ?? "its connections cannot be listed").harmless
            }
            let left = id + "\(Quantity.number(open, "connection")) left"
            guard let bound = predecessor["ends_within_ms"].count else { return left }
            return left + ", up to \(Words.age(bound))"
        }
    }

    /// The predecessors whose connections are not in a list.
    static func unanswered(_ predecessors: [JSONValue]) -> [String] {
        predecessors.map { predecessor in
            let process = "process \(predecessor["pid"].count ?? 0), from before the upgrade,"
            return predecessor["trouble"].text == "it does not answer"
                ? "\(process) does not answer; its connections are not listed"
                : "the connections of \(process) cannot be listed"
        }
    }

    /// A connection's state, with the process that has it if that is a predecessor: `open in 9365`.
    static func state(_ connection: JSONValue) -> String {
        let state = (connection["state"].text ?? "?").harmless
        return connection["process"].count.map { "\(state) in \($0)" } ?? state
    }
}
