import EventLoop
import Synchronization
import Text

/// What a shell's completion asks a running Tapline: an answer in time, or none. Any thread.
package struct CompletionClient: Sendable {
    private let client: AdminClient

    /// Requests go to the client's tapline, with its token.
    package init(_ client: AdminClient) {
        self.client = client
    }

    /// The names of its relays; empty without an answer within this time in milliseconds.
    package func relays(within milliseconds: Int64) -> [String] {
        let answers = answers(["/v1/relays"], within: milliseconds)
        return answers[0]["relays"].elements.compactMap { $0["name"].text }
    }

    /// The ids of its open connections, newest first, and then of those that have ended; empty without an answer within
    /// this time in milliseconds.
    package func connections(withClosed: Bool, within milliseconds: Int64) -> [String] {
        let paths = ["/v1/connections?sort=-id&limit=1000"] + (withClosed ? ["/v1/closed?limit=512"] : [])
        let answers = answers(paths, within: milliseconds)
        return answers.flatMap { $0["connections"].elements + $0["closed"].elements }.compactMap { connection in
            connection["id"].count.map(String.init)
        }
    }

    /// The answers to requests that are sent at the same time; null where there was none in time.
    private func answers(_ paths: [String], within milliseconds: Int64) -> [JSONValue] {
        let answers = Answers(paths.count)
        let done = Countdown(paths.count)
        for (index, path) in paths.enumerated() {
            client.fetch(.get, path, deadline: milliseconds) { result in
                if let answer = try? result.get(), answer.status < 400, let value = try? answer.json() {
                    answers.values.withLock { $0[index] = value }
                }
                done.down()
            }
        }
        // The connect and the answer have a bound each; this one is for both, and for the lookup of a name.
        _ = done.wait(atMost: UInt64(max(0, milliseconds)))
        return answers.values.withLock { $0 }
    }
}

/// Answers that are being received.
private final class Answers: Sendable {
    let values: Mutex<[JSONValue]>

    init(_ count: Int) {
        values = Mutex(Array(repeating: .null, count: count))
    }
}
