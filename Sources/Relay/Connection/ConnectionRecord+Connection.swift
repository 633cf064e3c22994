internal import EventLoop
internal import Sockets
internal import TLS

extension ConnectionRecord {
    /// A copy of a connection's facts, on its worker's thread.
    init(_ connection: Connection, ended end: End? = nil) {
        self.init(
            id: connection.id, relay: connection.relay.name, generation: connection.relay.generation,
            client: connection.clientAddress, listener: connection.listenerAddress,
            upstream: connection.destination.text, accepted: connection.acceptedAt)
        upstreamAddress = connection.upstreamAddress ?? connection.dialer?.lastTried
        connectDuration = connection.connectDuration
        attempts = UInt64(connection.attempts)
        hold = connection.upstreamWait?.facts(at: connection.worker.loop.now)
        firstByteDuration = connection.firstByteDuration
        if let up = connection.up {
            bytesUp = up.delivered
            splicedUp = up.spliced
        }
        if let down = connection.down {
            bytesDown = down.delivered
            splicedDown = down.spliced
        }
        if let context = connection.stages?.context {
            proxy = context.proxy
            hello = context.hello
            refusal = context.refusal
            request = context.request?.facts
            let cut = [connection.client, connection.upstream].compactMap(\.self).filter(\.wasTruncated)
            if let session = context.session(with: .client), !session.isEstablished {
                context.tls?.noteName(in: session, on: .client)
            }
            sessions = context.tls?.facts(truncated: cut.map(\.side))
            upstreamProxy = connection.upstreamSettings.proxy.map {
                UpstreamProxyFacts(proxy: $0.text, fault: context.upstreamProxyFault)
            }
        }
        self.end = end
        if let reason = end?.reason, reason.dependsOnFlows { flows = Flows(connection) }
        connection.taps.count(in: &self)
    }
}
