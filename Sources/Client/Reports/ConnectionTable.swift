import Configuration
import Terminal
package import Text

/// Connections as a table. Pure.
package struct ConnectionTable {
    private let rows: [JSONValue]
    private let areClosed: Bool

    /// Of the API's objects, open or ended.
    package init(_ rows: [JSONValue], areClosed: Bool) {
        self.rows = rows
        self.areClosed = areClosed
    }

    /// Whether a connection has a text in its id, names, addresses, state or reason; case is ignored.
    static func matches(_ connection: JSONValue, _ text: String) -> Bool {
        let wanted = text.lowercased()
        let keys = [
            "relay", "client", "listener", "upstream", "upstream_address", "state", "reason", "errno", "proxied_by",
            "unique_id", "server_name", "alpn",
        ]
        if "\(connection["id"].count ?? 0)" == wanted { return true }
        return keys.contains { connection[$0].text?.lowercased().contains(wanted) ?? false }
    }

    /// The table in the width of the output.
    package func lines(_ output: ClientOutput) -> [String] {
        (areClosed ? ended(output.zone) : open).lines(within: output.columns, output.terminal) { row, title in
            guard let row else { return .bold }
            switch title {
            case "ID": return .bold
            case "REASON": return ReasonText.isFailure(rows[row]["reason"].text) ? .failure : nil
            default: return nil
            }
        }
    }

    private var open: TextTable {
        var table = TextTable([
            .init(title: "ID", isNumber: true), .init(title: "RELAY", shrinksTo: 8),
            .init(title: "CLIENT", shrinksTo: 16, keepsEnd: true),
            .init(title: "UPSTREAM", dispensable: 2, shrinksTo: 14, keepsEnd: true),
            .init(title: "STATE"), .init(title: "AGE", isNumber: true), .init(title: "UP", isNumber: true),
            .init(title: "DOWN", isNumber: true), .init(title: "UP/S", isNumber: true, dispensable: 3),
            .init(title: "DOWN/S", isNumber: true, dispensable: 3), .init(title: "WAITS FOR", dispensable: 1),
        ])
        for row in rows {
            table.add([
                "\(row["id"].count ?? 0)", (row["relay"].text ?? "?").harmless, (row["client"].text ?? "?").harmless,
                Self.upstream(row), PredecessorText.state(row), Words.age(row["age_ms"].count),
                Words.size(row["bytes_up"].count), Words.size(row["bytes_down"].count),
                Words.rate(row["rate_up"].count),
                Words.rate(row["rate_down"].count), Words.waits(row["waits"]),
            ])
        }
        return table
    }

    private func ended(_ zone: TimeText) -> TextTable {
        var table = TextTable([
            .init(title: "ID", isNumber: true), .init(title: "ENDED", dispensable: 3),
            .init(title: "RELAY", shrinksTo: 8), .init(title: "CLIENT", shrinksTo: 16, keepsEnd: true),
            .init(title: "UPSTREAM", dispensable: 2, shrinksTo: 14, keepsEnd: true),
            .init(title: "LASTED", isNumber: true),
            .init(title: "UP", isNumber: true), .init(title: "DOWN", isNumber: true),
            .init(title: "BY", dispensable: 4), .init(title: "REASON"), .init(title: "WAITED FOR", dispensable: 1),
        ])
        for row in rows {
            let errno = row["errno"].text.map { " (\($0.harmless))" } ?? ""
            table.add([
                "\(row["id"].count ?? 0)", Words.clock(row["time"].text, zone), (row["relay"].text ?? "?").harmless,
                (row["client"].text ?? "?").harmless, Self.upstream(row), Words.duration(row["duration_ms"].count),
                Words.size(row["bytes_up"].count), Words.size(row["bytes_down"].count),
                (row["closed_by"].text ?? "-").harmless, (row["reason"].text ?? "-").harmless + errno,
                Words.waited(row),
            ])
        }
        return table
    }

    /// The upstream as configured; for an intercepted connection, its destination.
    static func upstreamText(_ row: JSONValue) -> String? {
        let configured = row["upstream"].text
        guard configured == UpstreamAddress.originalDestination.description else { return configured }
        return row["upstream_address"].text ?? configured
    }

    private static func upstream(_ row: JSONValue) -> String {
        (Self.upstreamText(row) ?? "?").harmless
    }
}
