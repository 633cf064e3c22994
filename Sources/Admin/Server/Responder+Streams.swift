internal import Configuration
internal import Recorder
internal import Relay
internal import Sockets
internal import Text

/// Answers that go on: events, and live traffic.
extension Responder {
    static let eventsType = "text/event-stream"
    static let tapType = "application/x-pcapng"

    /// What HEAD says of a stream.
    func streamHead(_ type: String, _ query: Query) async throws(AdminError) -> Answer {
        try await checkStream(query)
        return Answer(type: type, content: .pieces { _ in })
    }

    /// What a stream is asked of must be there: the relay, and the connection.
    private func checkStream(_ query: Query) async throws(AdminError) {
        try await check(query)
        if let id = query.connection, await services.relays.liveConnection(id) == nil {
            throw .notFound("no connection \(id) is open")
        }
    }

    func events(_ query: Query) async throws(AdminError) -> Answer {
        try await check(query)
        let place = try streams.take()
        return .stream(Self.eventsType, place) { [pump] pieces in
            try await pump.stream(relay: query.relay, to: &pieces)
        }
    }

    func tap(_ query: Query) async throws(AdminError) -> Answer {
        try await checkStream(query)
        let place = try streams.take()
        let tap: LiveTap
        do {
            tap = try services.relays.liveTap(relay: query.relay, connection: query.connection)
        } catch {
            throw Self.refused(error, query.relay ?? "")
        }
        // Where the client leaves before its answer begins, the tap goes with the answer, unread, and ends by that.
        return .stream(Self.tapType, place) { pieces in
            for await bytes in tap { try await pieces.write(bytes) }
        }
    }
}
