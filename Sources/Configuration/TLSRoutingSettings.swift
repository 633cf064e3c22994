internal import Sockets

/// `tls_routing:`: which upstream a client's connection is for, by what its TLS ClientHello asks for. Nothing is decrypted.
public struct TLSRoutingSettings: Hashable, Sendable {
    /// One entry of `routes`. It has at least one name or one application protocol, and takes who asks for one of its names
    /// (anyone, without names) and offers one of its protocols (anyone, without protocols).
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

    /// `otherwise`: what becomes of those whom no route takes, and of what is no ClientHello.
    public enum Otherwise: String, CaseIterable, Hashable, Sendable {
        /// They go to the relay's `upstream`.
        case upstream
        /// They are refused.
        case refuse
    }

    /// `routes`: at least one. Their order means nothing: the most specific one that takes a client has it.
    public var routes: [Route]
    /// `otherwise`.
    public var otherwise: Otherwise
    /// `timeout`: how long a ClientHello may take, from accept or from the PROXY header on; zero: for ever.
    public var timeout: Duration

    /// Routes.
    public init(
        routes: [Route], otherwise: Otherwise = .upstream, timeout: Duration = TLSRoutingSettings.defaultTimeout
    ) {
        self.routes = routes
        self.otherwise = otherwise
        self.timeout = timeout
    }

    /// The default of `timeout`: three seconds, which a packet that is lost twice takes to come again (RFC 6298, section 2).
    public static let defaultTimeout = Duration.seconds(3)
    /// Its least value: a packet that is lost once takes so long.
    static let leastTimeout = Duration.seconds(1)
}

/// What a route takes of server names. In lower case and without a root dot, as names are compared (RFC 6066, section 3;
/// RFC 4343).
public enum ServerName: Hashable, Sendable {
    /// `api.example.com`: this name.
    case exactly(String)
    /// `*.example.com`: every name below this one, however deep, and not this one itself. Without the star and its dot.
    case below(String)

    /// Reads a name, or a name behind `*.`.
    public init(parsing text: String) throws(ValueError) {
        let isWildcard = text.hasPrefix("*.")
        let written = String(isWildcard ? text.dropFirst(2) : text[...])
        guard !written.contains("*") else {
            throw ValueError(
                "\(quoted(text)): `*` stands for the first part of a name and all before it, such as *.example.com; for "
                    + "every name there is the relay's `upstream`")
        }
        guard IPv4Address(written) == nil, !written.contains(":") else {
            throw ValueError("\(quoted(text)) is an address, and TLS asks for names only (RFC 6066); write a host name")
        }
        var name = try HostName.checked(written).lowercased()
        if name.last == "." { name.removeLast() }
        self = isWildcard ? .below(name) : .exactly(name)
    }
}

extension ServerName: CustomStringConvertible {
    /// As it is written in the file: `api.example.com`, `*.example.com`.
    public var description: String {
        switch self {
        case .exactly(let name): name
        case .below(let name): "*.\(name)"
        }
    }
}

extension TLSRoutingSettings.Route: CustomStringConvertible {
    /// Whom it takes: `api.example.com, *.example.com with ALPN h2`.
    public var description: String {
        let names = serverNames.map(\.description).joined(separator: ", ")
        guard !applications.isEmpty else { return names }
        return (names.isEmpty ? "" : names + " with ") + "ALPN " + applications.joined(separator: ", ")
    }
}

extension RelaySettings {
    /// Everything that it may forward to.
    public var upstreams: [UpstreamAddress] { [upstream] + (tlsRouting?.routes.compactMap(\.upstream) ?? []) }
}
