internal import EventLoop
internal import Logging
internal import Sockets
internal import TLSHello

/// Chooses the upstream by the ClientHello with which a client begins.
final class ClientHelloPeek: Stage {
    /// How much is peeked at once; most hellos fit into an eighth of it.
    private static let piece = 16 << 10

    private let routes: TLSRoutes
    private let limit: UInt64
    private var reader = ClientHelloReader()
    /// The part of an incomplete hello that was read; it goes to the upstream first.
    private var received: [UInt8] = []
    private var hasRead = false

    init(_ routes: TLSRoutes, limit: UInt64) {
        self.routes = routes
        self.limit = limit
    }

    var side: Side { .client }
    var waitsFor: LiveConnection.Wait { .clientHello }
    var deadline: StageDeadline? { StageDeadline(limit: limit, reason: .tlsHelloTimeout) }

    /// Peeks, and leaves the piece that completes the hello in the socket, so that the flow may splice it. An incomplete
    /// hello is read and kept, because epoll would report it again and again.
    func run(on leg: Leg, _ context: StageContext) -> StageOutcome {
        while true {
            switch leg.peek(into: context.scratch, limit: Self.piece) {
            case .moved(let count):
                hasRead = true
                context.scratch.append(count: count, to: &received)
                switch reader.read(received) {
                case .incomplete:
                    if let end = leg.consume(count, context.scratch) { return .end(end) }
                case .complete(let hello):
                    received.removeLast(count)
                    let route = routes.route(for: hello)
                    context.clientHello = hello
                    return choose(route, TLSFacts(hello, route: route), leg, context)
                case .faulty(let fault):
                    received.removeLast(count)
                    return unreadable(fault, leg, context)
                }
            case .wouldBlock:
                return .wait(.readable)
            case .endOfStream:
                // The client closed without sending anything, or in the middle of its hello.
                return hasRead ? unreadable(.cut, leg, context) : .end(.ended)
            case .failed(let error):
                return .end(.legFailed(error))
            }
        }
    }

    private func unreadable(_ fault: ClientHelloFault, _ leg: Leg, _ context: StageContext) -> StageOutcome {
        context.logger.debug(
            "no TLS ClientHello",
            metadata: [
                "connection": .stringConvertible(context.id), "client": "\(context.clientAddress)", "fault": "\(fault)",
            ])
        return choose(nil, TLSFacts(fault: "\(fault)"), leg, context)
    }

    private func choose(
        _ route: TLSRoutes.Route?, _ facts: TLSFacts, _ leg: Leg, _ context: StageContext
    ) -> StageOutcome {
        context.hello = facts
        if let route {
            context.destination = route.destination
        } else if routes.refusesOthers {
            return .end(.refused(.tlsNotRouted))
        }
        if !received.isEmpty { leg.returnToFront(received) }
        return .done
    }
}
