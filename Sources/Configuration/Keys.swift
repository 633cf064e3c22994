/// The keys of one mapping in the file. The parser, its advice and the test of the JSON Schema use these lists.
protocol ConfigurationKey: RawRepresentable<String>, CaseIterable, Hashable, Sendable {}

/// The keys of the file itself.
enum RootKey: String, ConfigurationKey {
    case admin, log, workers, shutdown
    case loopbackCongestionControl = "loopback_congestion_control"
    case include, relays
}

/// The keys of an included file.
enum IncludedKey: String, ConfigurationKey {
    case relays
}

/// The keys of `admin`.
enum AdminKey: String, ConfigurationKey {
    case listen
    case tokenFile = "token_file"
    case hosts
}

/// The keys of `log`.
enum LogKey: String, ConfigurationKey {
    case level, format, access
}

/// The keys of `shutdown`.
enum ShutdownKey: String, ConfigurationKey {
    case drain, upgrade
}

/// The keys of an entry of `relays`.
enum RelayKey: String, ConfigurationKey {
    case name, listen, mode, upstream, timeouts
    case maxConnections = "max_connections"
    case proxyProtocol = "proxy_protocol"
    case interception
    case tlsRouting = "tls_routing"
    case requested
    case upstreamProxy = "upstream_proxy"
    case tls
    case upstreamTLS = "upstream_tls"
    case keyLog = "tls_keylog"
    case record
}

/// The keys of `tls`.
enum TLSKey: String, ConfigurationKey {
    case certificates, clients, minimum
    case applications = "alpn"
    case startTLS = "starttls"
    case handshake, truncation
}

/// The keys of `upstream_tls`.
enum UpstreamTLSKey: String, ConfigurationKey {
    case authorities = "ca"
    case serverName = "server_name"
    case certificate, verify, pins, minimum
    case applications = "alpn"
    case startTLS = "starttls"
    case handshake, truncation
}

/// The keys of a certificate.
enum CertificateKey: String, ConfigurationKey {
    case chain, key
}

/// The keys of `clients` of `tls`.
enum TLSClientsKey: String, ConfigurationKey {
    case authorities = "ca"
    case revoked = "crl"
    case require, allow
}

/// The keys of `allow` of `clients`.
enum TLSAllowKey: String, ConfigurationKey {
    case dns, uri
    case commonNames = "cn"
    case pins = "spki"
}

/// The keys of `interception`.
enum InterceptionKey: String, ConfigurationKey {
    case allow, mark
}

/// The keys of `proxy_protocol`.
enum ProxyProtocolKey: String, ConfigurationKey {
    case accept, trusted, timeout, send
}

/// The keys of `tls_routing`.
enum TLSRoutingKey: String, ConfigurationKey {
    case routes, otherwise, timeout
}

/// The keys of an entry of `routes`.
enum TLSRouteKey: String, ConfigurationKey {
    case serverName = "server_name"
    case applications = "alpn"
    case upstream
}

/// The keys of `requested`.
enum RequestedKey: String, ConfigurationKey {
    case allow, timeout
}

/// The keys of `timeouts`.
enum TimeoutsKey: String, ConfigurationKey {
    case connect, idle
    case halfClose = "half_close"
    case lifetime, wait
}

/// The keys of `record`.
enum RecordKey: String, ConfigurationKey {
    case directory, rotate
    case maxBytes = "max_bytes"
    case buffer
    case whenFull = "when_full"
    case clients, fraction, encrypted
}

/// The keys of `rotate`.
enum RotateKey: String, ConfigurationKey {
    case size, every, keep
}
