internal import EventLoop
internal import Logging
internal import Recording
internal import Sockets
internal import TLSHello

/// Which upstream a connection is for, by the ClientHello that its client begins with. On the worker's thread, and only for
/// relays that have `tls_routing`.
extension Connection {
    /// How much is looked at in one go; most hellos fit into an eighth of it.
    private static let helloPiece = 16 << 10

    /// Waits for the client's hello, which may be there already. The connection may be over when this returns.
    func awaitHello() {
        readHello()
        guard state.phase == .awaitingHello else { return }
        worker.note(deadline: relay.timeouts.hello, from: helloAwaitedSince)
        _ = makeClientLeg(reading: true)
    }

    /// From when on the hello has its time, by the loop's clock: from accept, or from the PROXY header.
    var helloAwaitedSince: UInt64 { proxy?.connectingSince ?? startedAt }

    /// Looks at what came, and leaves it in the socket where that decides: it stands there for the flow, which may splice,
    /// as if nobody had looked. What does not decide is taken and kept, for what stays in the socket is told of again and
    /// again.
    func readHello() {
        while state.phase == .awaitingHello {
            switch receiveFromClient(Self.helloPiece, peeking: true) {
            case .moved(let count):
                let hello = hello ?? HelloExchange(connectingSince: helloAwaitedSince)
                self.hello = hello
                worker.scratch.append(count: count, to: &hello.received)
                switch hello.reader.read(hello.received) {
                case .incomplete:
                    takeFromClient(count)
                case .complete(let said):
                    hello.received.removeLast(count)
                    lead(said)
                case .faulty(let fault):
                    hello.received.removeLast(count)
                    lead(fault)
                }
            case .wouldBlock:
                return
            case .endOfStream:
                // Whoever says nothing asks for nothing; part of a hello is all that there will be of it.
                if hello == nil { happened(.sourceEnded(.up)) } else { lead(.cut) }
            case .failed(let error):
                happened(.legFailed(.client, error))
            }
        }
    }

    private func lead(_ said: Hello) {
        let route = relay.tlsRoutes?.route(for: said)
        lead(to: route, TLSFacts(said, route: route))
    }

    private func lead(_ fault: ClientHelloFault) {
        worker.logger.debug(
            "no TLS ClientHello",
            metadata: ["connection": "\(id)", "client": "\(clientAddress)", "fault": "\(fault)"])
        lead(to: nil, TLSFacts(fault: "\(fault)"))
    }

    private func lead(to route: TLSRoutes.Route?, _ facts: TLSFacts) {
        // It is empty where the first look decided: then it need not hold memory for as long as the connection lives.
        if hello?.received.isEmpty == true { hello?.received = [] }
        hello?.facts = facts
        hello?.route = route
        hello?.connectingSince = worker.loop.now
        if route == nil, relay.tlsRoutes?.refusesOthers == true {
            hello?.received = []
            happened(.decided(.tlsNotRouted))
        } else {
            happened(.routed)
        }
    }

    // MARK: Where to

    /// What to connect: the route's upstream, or the relay's.
    var target: RelayRuntime.Target { hello?.route?.target ?? relay.target }
    /// The same as it was configured.
    var upstreamText: String { hello?.route?.upstreamText ?? relay.upstreamText }
}
