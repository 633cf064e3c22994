/// What the summary says of a PostgreSQL connection, from its first bytes.
enum PostgreSQLSummary {
    /// The most characters of a statement.
    private static let mostOfStatement = 80

    /// The first statement of a client after its startup message, and the first error of the server, if any.
    static func words(_ up: ArraySlice<UInt8>, _ down: ArraySlice<UInt8>) -> [String] {
        var sent: [PostgreSQLMessage] = []
        var received: [PostgreSQLMessage] = []
        var client = PostgreSQLReader(isClient: true, afterStartup: true)
        var server = PostgreSQLReader(isClient: false)
        // What was read before foreign bytes counts.
        _ = client.read(up, into: &sent)
        _ = server.read(down, into: &received)
        let statement = sent.lazy.compactMap(\.statement).first { !$0.isEmpty }.map(shortened)
        let error = received.first { $0.type == UInt8(ascii: "E") }?.report
        return [statement, error].compactMap(\.self)
    }

    private static func shortened(_ statement: String) -> String {
        let words = statement.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return words.count > mostOfStatement ? words.prefix(mostOfStatement - 1) + "…" : words
    }
}
