package import Terminal
internal import Text

/// The connection that `tapline why` explains without an id.
package enum LastFailure {
    /// Reasons of ends that need no explanation: both halves ended in order, or a person ended the connection.
    private static let expected: Set<String> = ["client_closed", "upstream_closed", "killed", "drained"]

    /// The id of the last connection that failed, or else of the last one that ended. Throws where none has ended.
    package static func id(_ client: AdminClient) throws(CommandFailure) -> UInt64 {
        let closed = try client.json(.get, "/v1/closed?limit=512")["closed"].elements
        guard let id = id(of: closed) else {
            throw CommandFailure(
                .failure, "tapline: no connection has ended yet; `tapline connections` lists the open ones")
        }
        return id
    }

    /// The same, of the records in an answer, newest first.
    static func id(of closed: [JSONValue]) -> UInt64? {
        let failed = closed.first { record in record["reason"].text.map { !expected.contains($0) } ?? false }
        return (failed ?? closed.first)?["id"].count
    }
}
