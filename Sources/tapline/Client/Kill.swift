import ArgumentParser
import Terminal
import Text

/// `tapline kill`: resets connections.
struct Kill: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Reset connections of a running tapline.",
        discussion: """
            Both sides get a reset, and the end record says killed. `tapline connections` shows the ids. What could not be \
            killed is told, and then the exit status is 1.
            """)

    @Argument(help: ArgumentHelp("The connection's id; several may follow each other.", valueName: "id"))
    var ids: [UInt64]

    @OptionGroup var options: AdminOptions

    func run() throws {
        let client = try options.client()
        let output = ClientOutput()
        var refusals: [String] = []
        for id in ids {
            // What it was cannot be asked for afterwards in one step: it is known before.
            let connection = try? client.json(.get, "/v1/connections/\(id)")
            let answer = try client.ask(.delete, "/v1/connections/\(id)")
            switch answer.status {
            case ..<400:
                let line = connection.map(Self.line) ?? "killed \(id)"
                if options.json {
                    try output.write(json: [try answer.json()])
                } else {
                    try output.write(lines: [line])
                }
            case 404: refusals.append("tapline: \(Self.refusal(id, connection))")
            default: throw AdminRefusal(answer).failure(client.target)
            }
        }
        if !refusals.isEmpty { throw CommandFailure(.failure, refusals.joined(separator: "\n")) }
    }

    /// `killed 12 of web: 127.0.0.1:54980 → db:5432, after 3m05s with 1.20 KiB up and 3.00 MiB down`
    private static func line(_ connection: JSONValue) -> String {
        let text = { (key: String) in (connection[key].text ?? "?").harmless }
        return "killed \(connection["id"].count ?? 0) of \(text("relay")): \(text("client")) → \(text("upstream")), "
            + "after \(Words.duration(connection["age_ms"].count)) with \(Words.size(connection["bytes_up"].count)) up and "
            + "\(Words.size(connection["bytes_down"].count)) down"
    }

    private static func refusal(_ id: UInt64, _ connection: JSONValue?) -> String {
        guard let connection, connection["state"].text == "closed" else {
            return "no connection \(id) is open, and none of that id has ended lately"
        }
        let reason = (connection["reason"].text ?? "?").harmless
        return "connection \(id) is not open: it ended at \(Words.clock(connection["time"].text)) UTC (\(reason))"
    }
}
