internal import Configuration
internal import Logging
internal import Recorder
internal import Relay
internal import Sockets
internal import Synchronization
internal import Text

/// Open and ended connections.
extension Responder {
    /// The connections of a list that are sent in one piece.
    private static let listPiece = 64

    func connections(_ query: Query) async throws(AdminError) -> Answer {
        try await check(query)
        async let elsewhere = services.predecessors.connections()
        let (all, rates) = await collector.connections()
        let (others, unanswered) = await elsewhere
        let chosen = ListedConnection.select(all, rates, elsewhere: others, query)
        let shown = chosen.prefix(query.limit)
        return Answer(
            content: .pieces { pieces in
                var json = JSONText()
                json.beginWhole()
                json.add("total", number: chosen.count)
                json.beginList("connections")
                for (index, listed) in shown.enumerated() {
                    switch listed {
                    case .own(let live): ConnectionView.write(live, rates.rate(of: live.record.id), to: &json)
                    case .elsewhere(let connection): json.element(connection)
                    }
                    if index % Self.listPiece == Self.listPiece - 1 { try await pieces.write(json.takeBytes()) }
                }
                json.endList()
                json.list("unanswered", unanswered) { json, state in
                    json.object { StatusView.writeUnanswered(state, to: &$0) }
                }
                json.endWhole()
                try await pieces.write(json.takeBytes())
            })
    }

    func connection(_ id: UInt64) async throws(AdminError) -> Answer {
        var json = JSONText()
        if let (live, rate) = await collector.connection(id) {
            let story = self.story(of: live)
            ConnectionView.write(live, rate, to: &json) { json in json.list("story", story) { $0.element($1) } }
            return .json(json.bytes)
        }
        // Before the journal: an ending connection moves from the workers to the journal.
        let pending = services.relays.pendingRecord(id)
        // Not from the shared answer: it may have ended since.
        guard let record = services.journal.closedRecords.first(where: { $0.id == id }) ?? pending else {
            switch await services.predecessors.connection(id) {
            case .found(let connection):
                json.element(connection)
                return .json(json.bytes)
            case .unanswered(let silent):
                throw .predecessorSilent(silent)
            case .nothing:
                throw .notFound(noConnection(id))
            }
        }
        var story = self.story(of: record)
        if pending != nil {
            story.append(
                "Its end record is delayed until its recording is complete: `tapline status` and the log show whether "
                    + "anything is wrong with the file.")
        }
        ConnectionView.write(record, to: &json) { json in json.list("story", story) { $0.element($1) } }
        return .json(json.bytes)
    }

    private func story(of record: ConnectionRecord) -> [String] {
        let settings = settings(of: record.relay)
        return Story.of(
            record, timeouts: settings?.timeouts, from: services.status.settingsOrigin, handshakes: .init(settings),
            command: services.command)
    }

    private func story(of live: LiveConnection) -> [String] {
        let settings = settings(of: live.record.relay)
        return Story.of(
            live, timeouts: settings?.timeouts, from: services.status.settingsOrigin, handshakes: .init(settings),
            command: services.command)
    }

    /// The message about a connection that is neither open nor among the last that ended.
    private func noConnection(_ id: UInt64) -> String {
        let relays = services.relays
        guard relays.mayHaveAccepted(id) else {
            let none = "none has been accepted" + (services.status.isSuccessor ? " since the upgrade" : "")
            return "there has been no connection \(id); " + (relays.lastID.map { "the latest is \($0)" } ?? none)
        }
        let isLogged = services.writesEndRecords && services.status.now.configuration.log.access != .off
        return "connection \(id) is not open, and not among the last \(Journal.mostClosed) that ended"
            + (isLogged ? "; its end record is in the access log" : "")
    }

    func kill(_ id: UInt64, _ requester: Requester) async throws(AdminError) -> Answer {
        var particulars: Logger.Metadata = ["connection": .stringConvertible(id)]
        if await !services.relays.kill(id) {
            switch await services.predecessors.kill(id) {
            case .found(let process): particulars["process"] = .stringConvertible(process)
            case .unanswered(let silent): throw .predecessorSilent(silent)
            case .nothing: throw .notFound("no connection \(id) is open")
            }
        }
        await logger.noteChange("connection \(id) killed through the admin API", by: requester, particulars)
        var json = JSONText()
        json.object { json in
            json.add("id", number: id)
            json.add("killed", true)
        }
        return .json(json.bytes)
    }

    func closed(_ query: Query) async throws(AdminError) -> Answer {
        try await check(query)
        let records = EndedConnection.select(
            await collector.closed(), elsewhere: services.predecessors.ended, query)
        // The process that took over keeps them after this one has ended, so it needs everything.
        let isForSuccessor = services.status.now.isReplaced
        var json = JSONText()
        json.object { json in
            json.add("total", number: records.count)
            json.list("closed", records.prefix(query.limit)) { json, ended in
                switch ended {
                case .own(let record) where isForSuccessor: writeWithStory(record, to: &json)
                case .own(let record): json.object(of: record)
                case .elsewhere(let connection): json.element(isForSuccessor ? connection : connection.endRecord)
                }
            }
        }
        return .json(json.bytes)
    }

    private func writeWithStory(_ record: ConnectionRecord, to json: inout JSONText) {
        let story = self.story(of: record)
        ConnectionView.write(record, to: &json) { json in json.list("story", story) { $0.element($1) } }
    }
}

/// Answers without an end: events and live traffic.
extension Responder {
    static let eventsType = "text/event-stream"
    static let tapType = "application/x-pcapng"

    /// The answer to HEAD for a stream.
    func streamHead(_ type: String, _ query: Query) async throws(AdminError) -> Answer {
        if type == Self.tapType { try await checkTap(query) } else { try await check(query) }
        return Answer(type: type, content: .pieces { _ in })
    }

    /// Throws 404 for an unknown relay or connection, and 409 for traffic of a predecessor, which only that process
    /// sees.
    private func checkTap(_ query: Query) async throws(AdminError) {
        if let relay = query.relay, await !hasRelay(relay) {
            switch await services.predecessors.relay(relay) {
            case .found(let process): throw Self.inPredecessor("relay \(AdminError.quoted(relay))", process)
            case .nothing: throw noRelay(relay)
            case .unanswered(let silent): throw .predecessorSilent(silent)
            }
        }
        if let id = query.connection, await services.relays.liveConnection(id) == nil {
            switch await services.predecessors.connection(id) {
            case .found(let connection) where connection["reason"].isNull:
                let process = connection[ConnectionView.processKey].count.map { Int32(clamping: $0) }
                throw Self.inPredecessor("connection \(id)", process)
            case .found, .nothing: throw .notFound("no connection \(id) is open")
            case .unanswered(let silent): throw .predecessorSilent(silent)
            }
        }
    }

    private static func inPredecessor(_ what: String, _ process: Int32?) -> AdminError {
        let place = process.map { "process \($0), from before the upgrade" } ?? "a process from before the upgrade"
        return AdminError(
            status: 409, code: "refused", message: "\(what) is in \(place); its traffic cannot be read here")
    }

    func events(_ query: Query) async throws(AdminError) -> Answer {
        try await check(query)
        let slot = try streams.acquire()
        return .stream(Self.eventsType, slot) { [pump] pieces in
            try await pump.stream(relay: query.relay, to: &pieces)
        }
    }

    func tap(_ query: Query, _ requester: Requester) async throws(AdminError) -> Answer {
        try await checkTap(query)
        let slot = try streams.acquire()
        let tap: LiveTap
        do {
            tap = try services.relays.liveTap(
                relay: query.relay, connection: query.connection, includesEncrypted: query.includesEncrypted)
        } catch {
            throw Self.refused(error, query.relay ?? "")
        }
        // It changes nothing, but it reads what the relay's clients send.
        var what: Logger.Metadata = [:]
        what["relay"] = query.relay.map { .string($0) }
        what["connection"] = query.connection.map { .stringConvertible($0) }
        if query.includesEncrypted { what["encrypted"] = "true" }
        await logger.noteChange("traffic is being read through the admin API", by: requester, what)
        // If the client leaves before its answer begins, the tap is released with the answer, which ends it.
        return .stream(Self.tapType, slot) { pieces in
            for await bytes in tap { try await pieces.write(bytes) }
        }
    }
}
