internal import Configuration
internal import HTTPTypes
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import Relay
internal import Sockets
internal import Synchronization
internal import Text

/// Answers requests: checks them with the gate, reads their body, and performs the route.
///
/// Thread-safe; used on the admin server's thread.
final class Responder: Sendable {
    let collector: Collector
    let services: AdminServices
    let pump: EventPump
    let logger: Logger
    private let terms: @Sendable () -> AdminServer.Terms
    let streams: StreamSlots
    let sampler: HistorySampler

    init(
        _ collector: Collector, _ services: AdminServices, on thread: LoopExecutor, mostStreams: Int, logger: Logger,
        terms: @escaping @Sendable () -> AdminServer.Terms
    ) {
        self.collector = collector
        self.services = services
        pump = EventPump(collector, on: thread)
        sampler = HistorySampler(collector, on: thread)
        streams = StreamSlots(most: mostStreams)
        self.logger = logger
        self.terms = terms
    }

    /// Ends every stream of events after the pending events. Returns whether there are streams, whose clients need time to
    /// read them.
    func endStreams() -> Bool {
        pump.endAll()
        return !streams.areAllFree
    }

    /// The listener that accepted a client.
    struct Door: Sendable {
        /// Whether it is a Unix socket.
        let isUnix: Bool
        /// The token that it requires instead of the settings' token.
        let token: String?
    }

    /// Answers one request. Throws when the client has gone.
    func respond(
        to request: Request, by requester: Requester, at door: Door, _ writer: consuming ResponseWriter
    ) async throws {
        let answer: Answer
        do throws(AdminError) {
            answer = try await self.answer(request, requester, door, writer)
        } catch {
            answer = .error(error)
        }
        try await answer.write(to: writer)
    }

    private func answer(
        _ request: Request, _ requester: Requester, _ door: Door, _ writer: borrowing ResponseWriter
    ) async throws(AdminError) -> Answer {
        let target = request.head.path ?? ""
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let headers = request.headers
        let terms = terms()
        let route = try Gate(
            hosts: terms.hosts, token: door.token ?? terms.token?.value, acceptsAnyHost: door.isUnix
        ).admit(
            Gate.Request(
                method: request.method.rawValue, path: String(parts.first ?? ""), host: request.head.authority,
                // The first `Host` has become the authority; a remaining field is a second one.
                isHostRepeated: Self.host.map { headers.contains($0) } ?? false,
                origin: headers[.origin], fetchSite: Self.fetchSite.flatMap { headers[$0] },
                authorization: headers[.authorization]))
        let query = try Query(parsing: parts.count > 1 ? String(parts[1]) : nil, of: route)
        let body = try await body(of: request, writer)
        let changes = request.method != .get && request.method != .head
        defer { if changes { collector.changed() } }
        return try await carryOut(route, request.method.rawValue, query, body, requester)
    }

    private static let host = HTTPField.Name("Host")
    private static let fetchSite = HTTPField.Name("Sec-Fetch-Site")

    private func body(
        of request: Request, _ writer: borrowing ResponseWriter
    ) async throws(AdminError) -> [UInt8] {
        var bytes: [UInt8] = []
        do {
            // Only an admitted client is asked to send its body.
            if request.headers[.expect]?.lowercased() == "100-continue" {
                try await writer.writeInformationalHead(HTTPResponse(status: .continue))
            }
            for try await piece in request.body {
                guard bytes.count + piece.readableBytes <= AdminServer.mostBodyBytes else {
                    throw AdminError.tooLarge(AdminServer.mostBodyBytes)
                }
                bytes += piece.readableBytesView
            }
        } catch {
            throw error as? AdminError ?? .badRequest("the request body is incomplete")
        }
        return bytes
    }

    private func carryOut(
        _ route: Route, _ method: String, _ query: Query, _ body: [UInt8], _ requester: Requester
    ) async throws(AdminError) -> Answer {
        switch route {
        case .page: return Page.document
        case .pageStyle: return Page.style
        case .pageScript: return Page.script
        case .healthz: return try await healthz()
        case .readyz: return try readyz()
        case .metrics: return await metrics()
        case .status:
            return .json(
                StatusView.status(
                    services.status, openConnections: services.relays.openConnections,
                    workers: services.relays.workers, process: await collector.process(),
                    failing: await failingRelays(), now: .now, predecessors: await services.predecessors.states()))
        case .relays: return try await relays(query)
        case .history: return try await history(query)
        case .recording(let relay):
            return try await recording(relay, method == "HEAD" ? "GET" : method, body, requester)
        case .connections: return try await connections(query)
        case .connection(let id):
            return method == "DELETE" ? try await kill(id, requester) : try await connection(id)
        case .closed: return try await closed(query)
        case .reload: return try await reload(requester)
        case .drain: return await drain(requester)
        case .shutdown: return await shutdown(requester)
        // HEAD of a stream does not use a slot.
        case .tap: return method == "HEAD" ? try await streamHead(Self.tapType, query) : try await tap(query, requester)
        case .events: return method == "HEAD" ? try await streamHead(Self.eventsType, query) : try await events(query)
        }
    }
}

/// Requests about the process.
extension Responder {
    func healthz() async throws(AdminError) -> Answer {
        guard await collector.isAlive() else {
            throw .unavailable("unhealthy", "a worker's loop has not answered for two seconds")
        }
        var json = JSONText()
        json.object { json in
            json.add("status", "ok")
            json.add("workers", number: services.relays.workers)
        }
        return .json(json.bytes)
    }

    func readyz() throws(AdminError) -> Answer {
        if services.status.now.isDraining {
            throw .unavailable("draining", "Tapline is draining and accepts no more clients")
        }
        let listeners = services.relays.listeners.count
        guard listeners > 0 else { throw .unavailable("not_listening", "no relay has a listener") }
        var json = JSONText()
        json.object { json in
            json.add("status", "ready")
            json.add("listeners", number: listeners)
        }
        return .json(json.bytes)
    }

    func metrics() async -> Answer {
        let stats = await collector.stats()
        let recordings = Array(await collector.recordings().values)
        let facts = services.status.now
        let text = MetricsText.make(
            MetricsInput(
                relays: stats, configured: facts.configuration.relays.map(\.name),
                expiries: facts.configuration.relays.flatMap { relay in relay.expiries.map { (relay.name, $0) } },
                recordings: recordings,
                heldClients: services.relays.heldClients, facts: facts, version: services.status.version,
                started: services.status.started.nanoseconds, process: await collector.process(),
                predecessors: await services.predecessors.states()))
        return Answer(type: "text/plain; version=0.0.4; charset=utf-8", content: .whole(text))
    }

    func reload(_ requester: Requester) async throws(AdminError) -> Answer {
        guard let reload = services.reload else {
            throw AdminError(
                status: 409, code: "no_configuration_file",
                message: "Tapline was started without a configuration file; there is nothing to reload")
        }
        await logger.noteChange("reload requested through the admin API", by: requester)
        let report = await reload()
        if report.isStopping {
            throw .unavailable("draining", "Tapline is stopping and does not reload its configuration")
        }
        if report.isUpgrading { throw .unavailable("upgrading", report.summary) }
        guard report.result == .rejected else { return .json(StatusView.reloadAnswer(report)) }
        return .json(StatusView.rejection(report), status: 422)
    }

    func drain(_ requester: Requester) async -> Answer {
        await logger.noteChange("drain requested through the admin API", by: requester)
        services.drain()
        var json = JSONText()
        json.object { json in
            json.add("draining", true)
            json.add("open_connections", number: services.relays.openConnections)
            json.add("within_ms", number: services.status.now.configuration.shutdown.drain.milliseconds)
        }
        return .json(json.bytes, status: 202)
    }

    func shutdown(_ requester: Requester) async -> Answer {
        await logger.noteChange("shutdown requested through the admin API", by: requester)
        let open = services.relays.openConnections
        let isNow = await services.shutdown()
        let drain = services.status.now.configuration.shutdown.drain.milliseconds
        var json = JSONText()
        json.object { json in
            json.add("now", isNow)
            json.add("open_connections", number: open)
            json.add("within_ms", number: isNow ? 0 : drain)
        }
        return .json(json.bytes, status: 202)
    }
}
