internal import Configuration
internal import EventLoop
internal import Logging
internal import ProxyProtocol
internal import Recording
internal import Sockets

/// The PROXY protocol: the header that a client begins with, and the one that the upstream gets first. On the worker's
/// thread, and only for relays that have it.
extension Connection {
    /// How much is looked at in one go: headers are meant to fit into 536 bytes.
    private static let headerPiece = 2048

    // MARK: In

    /// Waits for the client's header, which may be there already. The connection may be over when this returns.
    func awaitHeader() {
        // A Unix listener trusts every program that its file's mode admits.
        guard listenerAddress.isUnix || relay.trusts(clientAddress) else {
            happened(.decided(.proxyUntrusted))
            return
        }
        proxy = ProxyExchange(connectingSince: startedAt)
        readHeader()
        guard state.phase == .awaitingHeader else { return }
        worker.note(deadline: relay.timeouts.header, from: startedAt)
        _ = makeClientLeg(reading: true)
    }

    /// A leg is ready before bytes pass.
    func proxyReady(_ leg: Leg) {
        switch state.phase {
        case .awaitingHeader:
            readHeader()
        case .connecting where leg === upstream:
            sendHeader()
        case .awaitingHello, .connecting, .relaying, .passingReset, .ended:
            break
        }
    }

    /// Takes what came of the header, and never a byte behind it: each piece is looked at before it is taken. What is
    /// no more than a part of a header is taken all the same, for what stays in the socket is told of again and again.
    private func readHeader() {
        while state.phase == .awaitingHeader, let proxy {
            switch receiveFromClient(Self.headerPiece, peeking: true) {
            case .moved(let count):
                let before = proxy.received.count
                worker.scratch.append(count: count, to: &proxy.received)
                switch ProxyHeader.read(proxy.received) {
                case .incomplete:
                    takeFromClient(count)
                case .complete(let header, let length):
                    takeFromClient(length - before)
                    if state.phase == .awaitingHeader { introduce(header) }
                case .faulty(let fault):
                    proxy.facts = ProxyFacts(fault: "\(fault)")
                    worker.logger.debug(
                        "no PROXY protocol header",
                        metadata: ["connection": "\(id)", "client": "\(clientAddress)", "fault": "\(fault)"])
                    happened(.decided(.proxyHeaderInvalid))
                }
            case .wouldBlock: return
            case .endOfStream: happened(.sourceEnded(.up))
            case .failed(let error): happened(.legFailed(.client, error))
            }
        }
    }

    /// The header is complete: from here on the connection is the client's that it names.
    private func introduce(_ header: ProxyHeader) {
        guard let proxy else { return }
        proxy.received = []
        proxy.facts = ProxyFacts(header, from: clientAddress)
        proxy.destination = header.endpoints?.destination
        proxy.connectingSince = worker.loop.now
        if relay.sendsProxy == .v2 { proxy.extensions = header.extensions }
        if let source = header.endpoints?.source { clientAddress = source }
        happened(.headerRead)
    }

    // MARK: Out

    /// The upstream is connected and gets its header: in one piece, before anything else. The connection may be over
    /// when this returns.
    func startHeader(_ version: ProxyProtocolSettings.Version) {
        let exchange = proxy ?? ProxyExchange(connectingSince: startedAt)
        proxy = exchange
        var header = ProxyHeader(
            version: version == .v1 ? .v1 : .v2,
            // Receivers may refuse a Unix client, and some do (HAProxy, Envoy), but not one that nothing is said of.
            endpoints: clientAddress.isUnix
                ? nil : .init(source: clientAddress, destination: reachedAddress),
            extensions: exchange.extensions)
        exchange.extensions = []
        if version == .v2, header.endpoints != nil, header.uniqueID == nil {
            let uniqueID = worker.shared.uniqueID(of: id)
            header.extensions.append(.init(type: ProxyHeader.ExtensionType.uniqueID, value: Array(uniqueID.utf8)))
            exchange.facts = (exchange.facts ?? ProxyFacts()).sending(uniqueID: uniqueID)
        }
        exchange.unsent = header.bytes[...]
        sendHeader()
    }

    /// Sends what is left of it. While the upstream's socket has no room, the connection still counts as connecting.
    private func sendHeader() {
        guard let upstream, let proxy else { return }
        var failure: Errno?
        while failure == nil, !proxy.unsent.isEmpty {
            switch upstream.socket.send(proxy.unsent) {
            case .moved(let count): proxy.unsent = proxy.unsent.dropFirst(count)
            case .wouldBlock: return upstream.await(reading: false, writing: true)
            case .endOfStream: failure = Flow.tookNothing
            case .failed(let error): failure = error
            }
        }
        proxy.unsent = []
        happened(.connected)
        // What it sent before it went can still be read.
        if let failure { fail(upstream, failure) }
    }
}
