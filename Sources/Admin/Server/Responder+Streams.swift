internal import Configuration
internal import Recorder
internal import Relay
internal import Sockets
internal import Text

/// Answers without an end: events and live traffic.
extension Responder {
    static let eventsType = "text/event-stream"
    static let tapType = "application/x-pcapng"

    /// The answer to HEAD for a stream.
    func streamHead(_ type: String, _ query: Query) async throws(AdminError) -> Answer {
        try await checkStream(query)
        return Answer(type: type, content: .pieces { _ in })
    }

    /// Throws 404 for an unknown relay or connection.
    private func checkStream(_ query: Query) async throws(AdminError) {
        try await check(query)
        if let id = query.connection, await services.relays.liveConnection(id) == nil {
            throw .notFound("no connection \(id) is open")
        }
    }

    func events(_ query: Query) async throws(AdminError) -> Answer {
        try await check(query)
        let slot = try streams.acquire()
        return .stream(Self.eventsType, slot) { [pump] pieces in
            try await pump.stream(relay: query.relay, to: &pieces)
        }
    }

    func tap(_ query: Query) async throws(AdminError) -> Answer {
        try await checkStream(query)
        let slot = try streams.acquire()
        let tap: LiveTap
        do {
            tap = try services.relays.liveTap(relay: query.relay, connection: query.connection)
        } catch {
            throw Self.refused(error, query.relay ?? "")
        }
        // If the client leaves before its answer begins, the tap is released with the answer, which ends it.
        return .stream(Self.tapType, slot) { pieces in
            for await bytes in tap { try await pieces.write(bytes) }
        }
    }
}
