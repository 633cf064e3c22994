internal import Configuration
internal import EventLoop
internal import Logging
internal import Sockets
internal import Tunnel

/// Reads the client's request for a destination: SOCKS 5 or HTTP CONNECT.
final class RequestedDestination: Stage {
    /// How much is peeked at once; a request takes a fraction of it.
    private static let piece = 2048

    private let limit: UInt64
    private var reader = TunnelRequestReader()
    /// The part of an incomplete message that was read.
    private var received: [UInt8] = []
    /// What the client's socket has not taken yet of an answer.
    private var unsent: ArraySlice<UInt8> = []

    init(limit: UInt64) {
        self.limit = limit
    }

    var side: Side { .client }
    var waitsFor: LiveConnection.Wait { .request }
    var deadline: StageDeadline? { StageDeadline(limit: limit, reason: .requestTimeout) }

    /// Reads the request and not a byte after it: each piece is peeked at first, so that the flow may splice what follows.
    /// An incomplete message is read all the same, because epoll would report it again and again.
    func run(on leg: Leg, _ context: StageContext) -> StageOutcome {
        while true {
            if let outcome = leg.send(all: &unsent) { return outcome }
            switch leg.peek(into: context.scratch, limit: Self.piece) {
            case .moved(let count):
                if let outcome = read(count, leg, context) { return outcome }
            case .wouldBlock: return .wait(.readable)
            case .endOfStream: return .end(.ended)
            case .failed(let error): return .end(.legFailed(error))
            }
        }
    }

    /// Reads `count` peeked bytes, at least one. Nil: the request is not complete yet.
    private func read(_ count: Int, _ leg: Leg, _ context: StageContext) -> StageOutcome? {
        let before = received.count
        context.scratch.append(count: count, to: &received)
        let step = reader.read(received)
        if let form = reader.reply { context.request = DestinationRequest(form: form) }
        switch step {
        case .incomplete:
            return leg.consume(count, context.scratch).map { .end($0) }
        case .answer(let bytes, let length):
            if let end = leg.consume(length - before, context.scratch) { return .end(end) }
            received = []
            unsent = bytes[...]
            return nil
        case .complete(let target, let length):
            if let end = leg.consume(length - before, context.scratch) { return .end(end) }
            return choose(target, context)
        case .faulty(let fault):
            return refuse(fault, context)
        }
    }

    private func choose(_ target: TunnelTarget, _ context: StageContext) -> StageOutcome {
        let upstream: UpstreamAddress
        do throws(ValueError) {
            upstream = try UpstreamAddress(requested: target.host, port: target.port)
        } catch {
            return refuse(.host(reason: error.message), context)
        }
        context.destination = Destination(upstream, from: .client)
        switch context.relay.requested?.verdict(on: upstream) ?? .allowed {
        case .allowed:
            return .done
        case .byAddress where context.relay.proxy == nil:
            context.request?.checksAddresses = true
            return .done
        // The addresses of a name that the proxy looks up are not known here.
        case .byAddress, .refused:
            context.refusal = .requestNotAllowed
            log("destination not allowed", "destination", "\(upstream)", context)
            let address: SocketAddress? = if case .address(let address) = upstream { address } else { nil }
            return .end(.unreachable(DialFailure(reason: .destinationRefused, errno: nil, address: address)))
        }
    }

    private func refuse(_ fault: TunnelFault, _ context: StageContext) -> StageOutcome {
        context.request = context.request ?? DestinationRequest(form: nil)
        context.request?.fault = fault
        log("invalid request for a destination", "fault", "\(fault)", context)
        return .end(.refused(.requestInvalid))
    }

    private func log(_ message: Logger.Message, _ key: String, _ value: String, _ context: StageContext) {
        context.logger.debug(
            message,
            metadata: [
                "connection": "\(context.id)", "relay": "\(context.relay.name)", "client": "\(context.clientAddress)",
                key: "\(value)",
            ])
    }
}
