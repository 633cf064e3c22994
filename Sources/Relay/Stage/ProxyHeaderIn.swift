internal import Configuration
internal import EventLoop
internal import Logging
internal import ProxyProtocol
internal import Sockets

/// Reads the PROXY header with which a client begins.
final class ProxyHeaderIn: Stage {
    /// How much is peeked at once: headers are meant to fit into 536 bytes.
    private static let piece = 2048

    private let limit: UInt64
    /// The part of an incomplete header that was read.
    private var received: [UInt8] = []

    init(limit: UInt64) {
        self.limit = limit
    }

    var side: Side { .client }
    var waitsFor: LiveConnection.Wait { .proxyHeader }
    var deadline: StageDeadline? { StageDeadline(limit: limit, reason: .proxyHeaderTimeout) }

    /// Reads the header and not a byte after it: each piece is peeked at first. An incomplete header is read all the same,
    /// because epoll would report it again and again.
    func run(on leg: Leg, _ context: StageContext) -> StageOutcome {
        // A Unix listener trusts every program that its file's mode admits.
        guard context.listener.isUnix || context.relay.trusts(context.peer) else {
            return .end(.refused(.proxyUntrusted))
        }
        while true {
            switch leg.peek(into: context.scratch, limit: Self.piece) {
            case .moved(let count):
                let before = received.count
                context.scratch.append(count: count, to: &received)
                switch ProxyHeader.read(received) {
                case .incomplete:
                    if let end = leg.consume(count, context.scratch) { return .end(end) }
                case .complete(let header, let length):
                    if let end = leg.consume(length - before, context.scratch) { return .end(end) }
                    identify(header, context)
                    return .done
                case .faulty(let fault):
                    context.proxy = ProxyFacts(fault: "\(fault)")
                    context.logger.debug(
                        "no PROXY protocol header",
                        metadata: [
                            "connection": .stringConvertible(context.id), "client": "\(context.peer)",
                            "fault": "\(fault)",
                        ])
                    return .end(.refused(.proxyHeaderInvalid))
                }
            case .wouldBlock: return .wait(.readable)
            case .endOfStream: return .end(.ended)
            case .failed(let error): return .end(.legFailed(error))
            }
        }
    }

    private func identify(_ header: ProxyHeader, _ context: StageContext) {
        context.proxy = ProxyFacts(header, from: context.peer)
        context.headerDestination = header.endpoints?.destination
        if context.relay.sendsProxy == .v2 { context.extensions = header.extensions }
        if let source = header.endpoints?.source { context.clientAddress = source }
    }
}
