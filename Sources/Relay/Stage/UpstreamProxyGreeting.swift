internal import Configuration
internal import EventLoop
internal import Glibc
internal import Logging
internal import Sockets
internal import Tunnel

/// Requests a tunnel to the upstream from the proxy that is connected.
final class UpstreamProxyGreeting: Stage {
    /// How much is peeked at once; a reply takes a fraction of it.
    private static let piece = 2048

    private var dialogue: TunnelDialogue
    /// The part of an incomplete message that was read.
    private var received: [UInt8] = []
    /// What the proxy's socket has not taken yet.
    private var unsent: ArraySlice<UInt8>
    /// Nothing more can be sent to the proxy; what it sent before can still be read.
    private var failure: Errno?

    init(_ proxy: UpstreamProxySettings, _ context: StageContext) {
        dialogue = TunnelDialogue(
            proxy.scheme == .socks5 ? .socks5 : .http, to: TunnelTarget(context.destination.endpoint),
            credentials: proxy.credentials.map { .init(user: $0.user, password: $0.password) })
        unsent = dialogue.start[...]
        failure = context.upstreamFailure
    }

    var side: Side { .upstream }
    /// The connection still counts as connecting, and has the connect timeout.
    var waitsFor: LiveConnection.Wait { .connect }
    var deadline: StageDeadline? { nil }

    /// Reads the proxy's messages and not a byte after them: what follows is the upstream's. A proxy may reply and reset at
    /// once, so a failed send ends nothing before the reply has been read.
    func run(on leg: Leg, _ context: StageContext) -> StageOutcome {
        while true {
            if failure == nil, let outcome = leg.send(all: &unsent) {
                guard case .end(.legFailed(let error)) = outcome else { return outcome }
                failure = error
            }
            switch leg.peek(into: context.scratch, limit: Self.piece) {
            case .moved(let count):
                if let outcome = read(count, leg, context) { return outcome }
            case .wouldBlock where failure == nil: return .wait(.readable)
            case .wouldBlock, .endOfStream: return lost(failure, context)
            case .failed(let error): return lost(failure ?? error, context)
            }
        }
    }

    /// Reads `count` peeked bytes, at least one. Nil: the dialogue continues.
    private func read(_ count: Int, _ leg: Leg, _ context: StageContext) -> StageOutcome? {
        let before = received.count
        context.scratch.append(count: count, to: &received)
        let (length, next): (Int, [UInt8]?)
        switch dialogue.read(received) {
        case .incomplete: (length, next) = (received.count, nil)
        case .send(let message, let end): (length, next) = (end, message)
        case .complete(let end): (length, next) = (end, [])
        case .failed(let fault): return fail(fault, nil, context)
        }
        guard leg.consume(length - before, context.scratch) == nil else { return lost(failure, context) }
        guard let next else { return nil }
        received = []
        unsent = next[...]
        guard let failure else { return next.isEmpty ? .done : nil }
        // The tunnel was open, or the proxy expects one more message, which it cannot get.
        return next.isEmpty ? .end(.legFailed(failure)) : lost(failure, context)
    }

    /// The proxy closed its half, or its socket failed, before its reply was complete.
    private func lost(_ error: Errno?, _ context: StageContext) -> StageOutcome {
        let fault: TunnelProxyFault =
            switch error?.code {
            case nil: .closed
            case ECONNRESET, EPIPE: .reset
            default: .silent
            }
        return fail(fault, error, context)
    }

    private func fail(_ fault: TunnelProxyFault, _ errno: Errno?, _ context: StageContext) -> StageOutcome {
        context.upstreamProxyFault = "\(fault)"
        context.logger.debug(
            "the upstream proxy did not connect",
            metadata: [
                "connection": "\(context.id)", "relay": "\(context.relay.name)",
                "upstream": "\(context.destination.text)", "proxy": "\(context.relay.proxy?.text ?? "-")",
                "fault": "\(fault)",
            ])
        return .end(.unreachable(DialFailure(reason: .upstreamProxyFailed, errno: errno, address: nil)))
    }
}

extension TunnelTarget {
    /// The destination of a tunnel. The configuration excludes other endpoints than names and IP addresses.
    init(_ endpoint: Endpoint?) {
        switch endpoint {
        case .name(let host, let port): self.init(host: host, port: port)
        case .address(.ipv4(let address, let port)): self.init(host: "\(address)", port: port)
        case .address(.ipv6(let address, let port, _)): self.init(host: "\(address)", port: port)
        case .address(.unix), .linkLocal, nil: self.init(host: "", port: 0)
        }
    }
}
