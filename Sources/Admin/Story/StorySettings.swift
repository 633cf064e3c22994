internal import Configuration
internal import Relay
internal import Sockets

/// The settings that a story names, as its reader can change them: keys of the configuration file, or options of
/// `tapline forward`. A value.
struct StorySettings: Sendable {
    /// Where the configuration comes from.
    enum Origin: CaseIterable, Hashable, Sendable {
        /// A file: settings are named by their keys.
        case file
        /// The command line of `tapline forward`: settings are named by their options.
        case commandLine
    }

    /// A setting, by its key.
    enum Setting: String, CaseIterable, Hashable, Sendable {
        case connect = "timeouts.connect"
        case idle = "timeouts.idle"
        case halfClose = "timeouts.half_close"
        case lifetime = "timeouts.lifetime"
        case wait = "timeouts.wait"
        case acceptProxy = "proxy_protocol.accept"
        case trusted = "proxy_protocol.trusted"
        case headerTimeout = "proxy_protocol.timeout"
        case requestTimeout = "requested.timeout"
        case requestedAllow = "requested.allow"
        case interceptionAllow = "interception.allow"
        case upstreamProxy = "upstream_proxy"
        case clientHandshake = "tls.handshake"
        case upstreamHandshake = "upstream_tls.handshake"
        case clientTruncation = "tls.truncation"
        case upstreamTruncation = "upstream_tls.truncation"
        case authorities = "upstream_tls.ca"
        case serverName = "upstream_tls.server_name"
        case ownCertificate = "upstream_tls.certificate"
        case upstreamApplications = "upstream_tls.alpn"
        case upstreamStartTLS = "upstream_tls.starttls"
        case applications = "tls.alpn"
        case startTLS = "tls.starttls"
        case clientAuthorities = "tls.clients.ca"
        case clientsRequired = "tls.clients.require"
        case chain = "tls.certificates"

        /// The option of `tapline forward`; nil without one.
        var option: String? {
            switch self {
            case .connect: "--connect-timeout"
            case .idle: "--idle-timeout"
            case .wait: "--wait"
            case .acceptProxy, .trusted: "--accept-proxy"
            case .upstreamProxy: "--upstream-proxy"
            case .authorities: "--tls-ca"
            case .serverName: "--tls-server-name"
            case .chain: "--tls-cert"
            case .halfClose, .lifetime, .headerTimeout, .requestTimeout, .requestedAllow, .interceptionAllow,
                .clientHandshake, .upstreamHandshake, .clientTruncation, .upstreamTruncation, .ownCertificate,
                .upstreamApplications, .upstreamStartTLS, .applications, .startTLS, .clientAuthorities,
                .clientsRequired:
                nil
            }
        }

        /// What it is, for a reader who has neither its key nor an option.
        fileprivate var words: String {
            switch self {
            case .halfClose: "the time limit after one side has closed"
            case .lifetime: "the longest lifetime"
            case .headerTimeout: "the time limit for the header"
            case .requestTimeout: "the time limit for requests"
            case .requestedAllow, .interceptionAllow: "the allowed destinations"
            case .clientHandshake, .upstreamHandshake: "the time limit for the TLS handshake"
            case .clientTruncation, .upstreamTruncation: "what a missing close_notify means"
            case .ownCertificate: "the certificate of the relay"
            case .upstreamApplications, .applications: "the application protocols"
            case .upstreamStartTLS, .startTLS: "the protocol that begins TLS"
            case .clientAuthorities: "the authorities of clients"
            case .clientsRequired: "whether clients need a certificate"
            case .connect, .idle, .wait, .acceptProxy, .trusted, .upstreamProxy, .authorities, .serverName, .chain:
                rawValue
            }
        }
    }

    /// The relay's current timeouts; nil if they are not known.
    var timeouts: Timeouts?
    /// How long a TLS handshake may take.
    var handshakes = Handshakes()
    /// Where they come from.
    var origin = Origin.file

    /// The time limits for TLS handshakes; nil if they are not known, or the relay has none.
    struct Handshakes: Sendable {
        var client: Duration?
        var upstream: Duration?

        init() {}

        init(_ settings: RelaySettings?) {
            client = settings?.tls?.session.handshake
            upstream = settings?.upstreamTLS?.session.handshake
        }
    }

    /// The limit of a handshake, with its value: `tls.handshake (now 10s)`. What a client sends before TLS has the upstream's
    /// limit on a relay that speaks TLS only with that.
    func limitOfHandshake(with side: Side) -> String {
        let isClients = side == .client && (handshakes.client != nil || handshakes.upstream == nil)
        return name(isClients ? .clientHandshake : .upstreamHandshake)
            + Story.now(isClients ? handshakes.client : handshakes.upstream)
    }

    /// The clause that names that limit; empty for a reader who cannot see it.
    func limit(ofHandshakeWith side: Side) -> String {
        let isKnown = handshakes.client != nil || handshakes.upstream != nil
        return origin == .commandLine && !isKnown ? "" : "; the limit is \(limitOfHandshake(with: side))"
    }

    /// The setting's name in a sentence: `timeouts.idle`, or `--idle-timeout`.
    func name(_ setting: Setting) -> String {
        switch origin {
        case .file: setting.rawValue
        case .commandLine: setting.option ?? setting.words
        }
    }

    /// The sentence that says where TLS with a side is configured.
    func ofTLS(with side: Side, of relay: String) -> String {
        switch (origin, side) {
        case (.file, .client): "The settings are in `tls` of relay \(relay)."
        case (.file, .upstream): "The settings are in `upstream_tls` of relay \(relay)."
        case (.commandLine, .client): "The options are --tls-cert and --tls-key."
        case (.commandLine, .upstream): "The options are --tls-ca and --tls-insecure."
        }
    }

    /// The clause that names a wait's limit; empty where the reader can neither see nor set it.
    func limit(_ setting: Setting) -> String {
        origin == .commandLine && setting.option == nil ? "" : "; the limit is \(name(setting))"
    }

    /// Advice to change a setting: `raise timeouts.idle`. Without an option, it takes a configuration file.
    func change(_ verb: String, _ setting: Setting) -> String {
        guard origin == .commandLine, setting.option == nil else { return "\(verb) \(name(setting))" }
        return "use a configuration file (`tapline run`), and \(verb) \(setting.rawValue) there"
    }
}
