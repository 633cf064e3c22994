internal import Configuration
internal import Relay
internal import Sockets
internal import Synchronization
internal import Text

/// Answers that go on: events, and live traffic.
extension Responder {
    func enterStream() throws(AdminError) {
        guard streams.add(1, ordering: .relaxed).newValue <= Self.mostStreams else {
            leaveStream()
            throw .tooManyStreams
        }
    }

    func leaveStream() {
        streams.subtract(1, ordering: .relaxed)
    }

    func events(_ query: Query) async throws(AdminError) -> Answer {
        try await check(query)
        try enterStream()
        return Answer(
            type: "text/event-stream",
            content: .pieces { [self] pieces in
                defer { leaveStream() }
                try await pump.stream(relay: query.relay, to: &pieces)
            })
    }

    func tap(_ query: Query) async throws(AdminError) -> Answer {
        try await check(query)
        if let id = query.connection, await services.relays.liveConnection(id) == nil {
            throw .notFound("no connection \(id) is open")
        }
        let tap: LiveTap
        do {
            tap = try services.relays.liveTap(relay: query.relay, connection: query.connection)
        } catch {
            throw Self.refused(error, query.relay ?? "")
        }
        try enterStream()
        return Answer(
            type: "application/x-pcapng",
            content: .pieces { [self] pieces in
                defer { leaveStream() }
                for await bytes in tap { try await pieces.write(bytes) }
            })
    }
}
