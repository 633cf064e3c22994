internal import Configuration
internal import Text

/// The stages of a relay's connections. Made once per generation; immutable; any thread.
///
/// Here, and only here, their order is defined.
struct StagePlan: Sendable {
    typealias Make = @Sendable (StageContext) -> any Stage

    /// Before the upstream is connected.
    let preparing: [Make]
    /// After the upstream is connected, before bytes flow.
    let greeting: [Make]
    /// The first stages of `preparing`: when they are done, the client is known, and which upstream it is for.
    let identifying: Int
    /// The routes by ClientHello; nil without `tls_routing`.
    let routes: TLSRoutes?

    init(_ settings: RelaySettings) {
        var preparing: [Make] = []
        if let accept = settings.proxyProtocol?.accept {
            let limit = accept.timeout.millisecondsRoundedUp
            preparing.append { _ in ProxyHeaderIn(limit: limit) }
        }
        let (client, upstream) = (settings.tls?.session, settings.upstreamTLS?.session)
        // PostgreSQL's request for TLS comes before the ClientHello.
        if (client ?? upstream)?.startTLS == .postgres {
            let limit = ((client ?? upstream)?.handshake ?? .zero).millisecondsRoundedUp
            let offersTLS = settings.tls != nil
            preparing.append { _ in PostgresRequest(limit: limit, offersTLS: offersTLS) }
        }
        let offered = client?.startTLS?.mail
        if let client, let offered {
            let limit = client.handshake.millisecondsRoundedUp
            preparing.append { MailRequest(offered, limit: limit, $0) }
        }
        let routes = settings.tlsRouting.map { TLSRoutes($0, upstream: settings.upstream) }
        self.routes = routes
        if let routing = settings.tlsRouting, let routes {
            let limit = routing.timeout.millisecondsRoundedUp
            preparing.append { _ in ClientHelloPeek(routes, limit: limit) }
        }
        if let tls = settings.tls, let context = tls.loaded?.context {
            preparing.append { _ in TLSHandshake(tls, context) }
        }
        if settings.upstream == .requested {
            let limit = (settings.requested ?? RequestedSettings()).timeout.millisecondsRoundedUp
            preparing.append { _ in RequestedDestination(limit: limit) }
        }
        identifying = preparing.count
        if settings.upstream == .originalDestination {
            preparing.append { _ in OriginalDestination() }
        }
        self.preparing = preparing
        var greeting: [Make] = []
        if let proxy = settings.upstreamProxy { greeting.append { UpstreamProxyGreeting(proxy, $0) } }
        if let version = settings.proxyProtocol?.send { greeting.append { ProxyHeaderOut(version, $0) } }
        let agreed = upstream?.startTLS
        if let upstream, let agreed {
            let limit = upstream.handshake.millisecondsRoundedUp
            greeting.append { StartTLSGreeting(agreed.dialogue, limit: limit, $0) }
        }
        if let tls = settings.upstreamTLS, let context = tls.loaded?.context {
            greeting.append { _ in TLSHandshake(tls, context) }
        }
        // A mail client gets one greeting: from MailRequest, or from the upstream.
        if offered == nil, agreed?.mail != nil { greeting.append { _ in GreetingReplay() } }
        if let offered, agreed?.mail == nil {
            let limit = ((upstream ?? client)?.handshake ?? .zero).millisecondsRoundedUp
            greeting.append { _ in MailWelcome(offered, limit: limit) }
        }
        if settings.upstream == .requested { greeting.append { RequestReply($0) } }
        self.greeting = greeting
    }

    /// A plain relay's connections have no stage.
    var isEmpty: Bool { preparing.isEmpty && greeting.isEmpty }
}
