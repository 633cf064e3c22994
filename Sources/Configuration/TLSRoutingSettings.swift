internal import Sockets

/// `tls_routing:`: selects the upstream by the client's TLS ClientHello. Nothing is decrypted.
public struct TLSRoutingSettings: Hashable, Sendable {
    /// One entry of `routes`, with at least one name or one application protocol. It matches a client that requests one of
    /// its names (any, without names) and offers one of its protocols (any, without protocols).
    public struct Route: Hashable, Sendable {
        /// `server_name`: one or several.
        public var serverNames: [ServerName]
        /// `alpn`: application protocols, one or several.
        public var applications: [String]
        /// `upstream`; nil: the relay's.
        public var upstream: UpstreamAddress?

        /// A route.
        public init(serverNames: [ServerName] = [], applications: [String] = [], upstream: UpstreamAddress? = nil) {
            self.serverNames = serverNames
            self.applications = applications
            self.upstream = upstream
        }
    }

    /// `otherwise`: the action for clients that match no route or do not send a ClientHello.
    public enum Otherwise: String, CaseIterable, Hashable, Sendable {
        /// Forward to the relay's `upstream`.
        case upstream
        /// Refuse the client.
        case refuse
    }

    /// `routes`: at least one. The most specific match wins; the order is irrelevant.
    public var routes: [Route]
    /// `otherwise`.
    public var otherwise: Otherwise
    /// `timeout`: the time from accept or from the PROXY header to a complete ClientHello; zero: unlimited.
    public var timeout: Duration

    /// Settings with these values.
    public init(
        routes: [Route], otherwise: Otherwise = .upstream, timeout: Duration = TLSRoutingSettings.defaultTimeout
    ) {
        self.routes = routes
        self.otherwise = otherwise
        self.timeout = timeout
    }

    /// The default of `timeout`: three seconds, in which a packet that is lost twice is retransmitted (RFC 6298, section 2).
    public static let defaultTimeout = Duration.seconds(3)
    /// Its minimum: a packet that is lost once is retransmitted after one second.
    static let leastTimeout = Duration.seconds(1)
}

/// The server names that a route matches, in lower case and without a root dot, as names are compared (RFC 6066, section 3;
/// RFC 4343).
public enum ServerName: Hashable, Sendable {
    /// `api.example.com`: this name.
    case exactly(String)
    /// `*.example.com`: every name below this one at any depth, but not this one. Stored without the star and its dot.
    case below(String)

    /// Parses a name, with an optional `*.` before it.
    public init(parsing text: String) throws(ValueError) {
        let isWildcard = text.hasPrefix("*.")
        let written = String(isWildcard ? text.dropFirst(2) : text[...])
        guard !written.contains("*") else {
            throw ValueError(
                "\(quoted(text)): `*` is allowed only as the first part of a name, such as *.example.com; clients of "
                    + "other names go to the relay's `upstream`")
        }
        guard IPv4Address(written) == nil, !written.contains(":") else {
            throw ValueError(
                "\(quoted(text)) is an address, but TLS server names are host names (RFC 6066); write a host name")
        }
        var name = try HostName.checked(written).lowercased()
        if name.last == "." { name.removeLast() }
        self = isWildcard ? .below(name) : .exactly(name)
    }
}

extension ServerName: CustomStringConvertible {
    /// The configuration's notation: `api.example.com`, `*.example.com`.
    public var description: String {
        switch self {
        case .exactly(let name): name
        case .below(let name): "*.\(name)"
        }
    }
}

extension TLSRoutingSettings.Route: CustomStringConvertible {
    /// What it matches: `api.example.com, *.example.com with ALPN h2`.
    public var description: String {
        let names = serverNames.map(\.description).joined(separator: ", ")
        guard !applications.isEmpty else { return names }
        return (names.isEmpty ? "" : names + " with ") + "ALPN " + applications.joined(separator: ", ")
    }
}

extension RelaySettings {
    /// Every upstream that it may forward to.
    public var upstreams: [UpstreamAddress] { [upstream] + (tlsRouting?.routes.compactMap(\.upstream) ?? []) }

    /// Every address that it may connect to itself: its proxy's, or those of its upstreams.
    public var dialled: [UpstreamAddress] { upstreamProxy.map { [$0.address] } ?? upstreams }
}
