internal import Configuration
internal import HTTPTypes
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import Relay
internal import Sockets
internal import Text

/// Answers requests: lets them through the gate, reads their body, and carries the route out.
///
/// Any thread; in fact the admin server's.
final class Responder: Sendable {
    let collector: Collector
    let services: AdminServices
    let pump: EventPump
    private let logger: Logger
    private let terms: @Sendable () -> AdminServer.Terms
    let streams: StreamPlaces

    init(
        _ collector: Collector, _ services: AdminServices, on thread: LoopExecutor, mostStreams: Int, logger: Logger,
        terms: @escaping @Sendable () -> AdminServer.Terms
    ) {
        self.collector = collector
        self.services = services
        pump = EventPump(collector, on: thread)
        streams = StreamPlaces(most: mostStreams)
        self.logger = logger
        self.terms = terms
    }

    /// Ends every stream of events, after what has happened until now. Returns whether there were streams, whose
    /// clients have the last of it to take.
    func endStreams() -> Bool {
        pump.endAll()
        return !streams.areFree
    }

    /// Answers one request. Throws when the client has gone.
    func respond(to request: Request, onUnixSocket: Bool, _ writer: consuming ResponseWriter) async throws {
        let answer: Answer
        do throws(AdminError) {
            answer = try await self.answer(request, onUnixSocket, writer)
        } catch {
            answer = .error(error)
        }
        try await answer.write(to: writer)
    }

    private func answer(
        _ request: Request, _ isOnUnixSocket: Bool, _ writer: borrowing ResponseWriter
    ) async throws(AdminError) -> Answer {
        let target = request.head.path ?? ""
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let headers = request.headers
        let terms = terms()
        let route = try Gate(
            hosts: terms.hosts, token: terms.token?.value, acceptsAnyHost: isOnUnixSocket
        ).admit(
            Gate.Visitor(
                method: request.method.rawValue, path: String(parts.first ?? ""), host: request.head.authority,
                // The first has become the authority; what is still a field is another one.
                isHostRepeated: Self.host.map { headers.contains($0) } ?? false,
                origin: headers[.origin], fetchSite: Self.fetchSite.flatMap { headers[$0] },
                authorization: headers[.authorization]))
        let query = try Query(parsing: parts.count > 1 ? String(parts[1]) : nil, of: route)
        let body = try await body(of: request, writer)
        return try await carryOut(route, request.method.rawValue, query, body)
    }

    private static let host = HTTPField.Name("Host")
    private static let fetchSite = HTTPField.Name("Sec-Fetch-Site")

    private func body(
        of request: Request, _ writer: borrowing ResponseWriter
    ) async throws(AdminError) -> [UInt8] {
        var bytes: [UInt8] = []
        do {
            // A client that is refused does not have to send the body; one that is admitted need not wait any longer.
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
            throw error as? AdminError ?? .badRequest("the body did not come whole")
        }
        return bytes
    }

    private func carryOut(
        _ route: Route, _ method: String, _ query: Query, _ body: [UInt8]
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
                    services.standing, openConnections: services.relays.openConnections,
                    workers: services.relays.workers, process: await collector.process(), now: .now))
        case .relays: return try await relays(query)
        case .recording(let relay): return try await recording(relay, method == "HEAD" ? "GET" : method, body)
        case .connections: return try await connections(query)
        case .connection(let id): return method == "DELETE" ? try await kill(id) : try await connection(id)
        case .closed: return try await closed(query)
        case .reload: return try await reload()
        case .drain: return drain()
        case .shutdown: return await shutdown()
        // The head of a stream does not take one of the places for streams.
        case .tap: return method == "HEAD" ? try await streamHead(Self.tapType, query) : try await tap(query)
        case .events: return method == "HEAD" ? try await streamHead(Self.eventsType, query) : try await events(query)
        }
    }
}
