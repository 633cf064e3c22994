internal import Configuration
internal import EventLoop
internal import Logging
internal import ProxyProtocol
internal import Sockets
internal import StartTLS
internal import TLS
internal import TLSHello

/// What the stages of one connection share, and what they have found. Connections without stages have none.
///
/// Owned by the connection, on the worker's thread.
final class StageContext {
    // MARK: Fixed at init

    /// The connection's id.
    let id: UInt64
    let listener: SocketAddress
    /// The client socket's peer.
    let peer: SocketAddress
    /// When the client was accepted, by the monotonic clock.
    let acceptedTicks: UInt64
    /// The client's leg; the connection owns it, too.
    let client: Leg
    // The worker outlives its connections.
    private unowned(unsafe) let worker: Worker

    // MARK: What stages have found

    /// The settings that the connection started with; while its client is held, those of the configuration in force.
    var relay: RelayRuntime

    /// The client's address: the peer, or the source in its PROXY header.
    var clientAddress: SocketAddress
    /// What is connected: the relay's upstream, a route's, or the original destination.
    var destination: Destination
    /// The address that the client reached according to its PROXY header.
    var headerDestination: SocketAddress?
    /// Bytes that stages have read and that are forwarded first, by the leg that they were read from.
    private var clientPrelude: Prelude?
    private var upstreamPrelude: Prelude?
    /// The legs' TLS sessions; nil before a handshake, and when its leg has ended.
    private var clientSession: TLSSession?
    private var upstreamSession: TLSSession?
    /// The recordings of the legs' encrypted bytes.
    var encryptedLegs = EncryptedLegs()
    /// TLVs of the client's PROXY header that are passed on.
    var extensions: [ProxyHeader.Extension] = []
    /// For the record: what the PROXY protocol adds; nil until something is known.
    var proxy: ProxyFacts?
    /// For the record: what the ClientHello adds; nil until something is known.
    var hello: TLSFacts?
    /// The ClientHello itself, by which a reload chooses a held client's upstream again; nil if it is unreadable.
    var clientHello: Hello?
    /// The TLS sessions; nil before the first handshake begins.
    var tls: TLSOutcome?
    /// What was exchanged on the legs to agree on TLS, until the session begins; for recordings.
    private var clientDialogue = OpeningDialogue()
    private var upstreamDialogue = OpeningDialogue()
    /// The client has begun with PostgreSQL's messages.
    var speaksPostgres = false
    /// The socket of the current stage's leg has failed: the stage reads what came before that, in this turn of the loop.
    var hasReset = false
    /// What each side had sent when the end of the other's stream was passed on to it: bytes of its flow.
    private var sentBeforeEnd: [Side: UInt64] = [:]
    /// What a refused client gets before the end, instead of a reply to its request.
    var lastWords: [UInt8]?
    /// What a mail upstream greeted with before TLS.
    var upstreamGreeting: [UInt8] = []
    /// The client's request for a destination; nil before it, and for relays with an upstream of their own.
    var request: DestinationRequest?
    /// Why the upstream proxy did not connect: a clause whose subject is the proxy.
    var upstreamProxyFault: String?
    /// The proxy had failed when it was connected; what it sent before can still be read.
    var upstreamFailure: Errno?
    /// Relays with `upstream: original-destination` only.
    var interception: Interception?
    /// Why the original or requested destination is not connected.
    var refusal: DestinationRefusal?

    init(
        id: UInt64, worker: Worker, relay: RelayRuntime, listener: SocketAddress, peer: SocketAddress, client: Leg,
        acceptedTicks: UInt64
    ) {
        self.id = id
        self.acceptedTicks = acceptedTicks
        self.worker = worker
        self.relay = relay
        self.listener = listener
        self.peer = peer
        self.client = client
        clientAddress = peer
        destination = relay.destination
    }

    /// TLS begins, or what comes before it.
    func beginTLS() { tls = tls ?? TLSOutcome() }

    /// The client closes, probably because of this.
    func note(_ unmet: SessionFacts.Unmet) {
        beginTLS()
        tls?.unmet = unmet
    }

    func prelude(of side: Side) -> Prelude? { side == .client ? clientPrelude : upstreamPrelude }

    func set(_ prelude: Prelude?, of side: Side) {
        if side == .client { clientPrelude = prelude } else { upstreamPrelude = prelude }
    }

    func session(with side: Side) -> TLSSession? { side == .client ? clientSession : upstreamSession }

    func set(_ session: TLSSession?, with side: Side) {
        if side == .client { clientSession = session } else { upstreamSession = session }
    }

    /// Notes bytes that were exchanged on a leg to agree on TLS.
    func note(_ bytes: [UInt8], _ way: TLSObserver.Way, with side: Side) {
        let now = EventLoop.nanoseconds
        switch side {
        case .client: clientDialogue.add(bytes, way, at: now)
        case .upstream: upstreamDialogue.add(bytes, way, at: now)
        }
    }

    /// What was exchanged on a leg to agree on TLS. Its session begins now, or there will be none.
    func takeDialogue(with side: Side) -> OpeningDialogue {
        var dialogue = OpeningDialogue()
        switch side {
        case .client: swap(&dialogue, &clientDialogue)
        case .upstream: swap(&dialogue, &upstreamDialogue)
        }
        return dialogue
    }

    /// The end of the stream to a side was passed on, after the side had sent this many bytes.
    func noteEnd(passedTo side: Side, after sent: UInt64) { sentBeforeEnd[side] = sent }

    /// The end of the stream to a side was passed on.
    func hasEnded(to side: Side) -> Bool { sentBeforeEnd[side] != nil }

    /// Whether a side has sent nothing since the end of the stream to it was passed on; false if none was.
    func hasBeenSilent(_ side: Side, sent: UInt64) -> Bool { sentBeforeEnd[side] == sent }

    /// The worker's buffer; its content is valid during one call.
    var scratch: ByteBuffer { worker.scratch }
    var now: UInt64 { worker.loop.now }
    /// Whether the worker has time for a step of a handshake in this turn of its loop.
    func mayTakeHandshakeStep() -> Bool { hasReset || worker.handshakes.take(in: worker.loop.turns) }
    /// The handshakes in progress on the worker.
    var handshakeWave: HandshakeWave { worker.handshakeWave }
    var logger: Logger { worker.logger }
    var shared: ServiceState { worker.shared }

    /// The address that the client reached: a load balancer's, the one that it was redirected from, or the socket's own.
    var reachedAddress: SocketAddress {
        headerDestination ?? interception?.destination ?? client.localAddress(at: listener)
    }

    /// A handshake or a session has failed: for the record.
    func note(_ failure: TLSFailure, on side: Side, of session: TLSSession? = nil) {
        var outcome = tls ?? TLSOutcome()
        outcome.note(failure, on: side, of: session, self)
        tls = outcome
    }

    /// The handshake with the upstream has failed: a client of PostgreSQL gets an error that it can show.
    func explainToPostgres() {
        guard speaksPostgres else { return }
        lastWords = PostgresOpening.error(
            "Tapline: the TLS handshake with the server failed; see: tapline why \(id)",
            code: PostgresOpening.connectionFailure)
    }

    // MARK: Vetoes of the dialer's addresses and sockets

    /// Why an address must not be connected: a name that the client has requested has an address that is not allowed.
    func refusal(of address: SocketAddress) -> DialFailure? {
        guard let request, request.checksAddresses, relay.requested?.allows(address) == false else { return nil }
        refusal = .requestNotAllowed
        return DialFailure(reason: .destinationRefused, errno: nil, address: address)
    }

    /// Why a socket must not be used: rules redirect it back to Tapline.
    func refusal(of socket: borrowing Socket, connectingTo address: SocketAddress) -> DialFailure? {
        guard let interception, interception.comesBack(socket.localAddress, now) else { return nil }
        refusal = .ownTraffic
        warnOfOwnTraffic()
        return DialFailure(reason: .loop, errno: nil, address: address)
    }

    /// Logs that Tapline's own connections come back to it, at most once in ten seconds.
    func warnOfOwnTraffic() {
        guard shared.interceptedPaths.mayWarn(EventLoop.nanoseconds) else { return }
        var metadata: Logger.Metadata = [
            "connection": .stringConvertible(id), "relay": "\(relay.name)", "client": "\(clientAddress)",
        ]
        metadata["destination"] = interception?.destination.map { "\($0)" }
        logger.warning(
            "rules redirect Tapline's own connections back to it; exclude its mark (interception.mark) or its user",
            metadata: metadata)
    }
}
