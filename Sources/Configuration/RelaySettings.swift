/// One entry of `relays`.
public struct RelaySettings: Hashable, Sendable {
    /// `name`: unique; used in metrics and recordings.
    public var name: String
    /// `listen`: one address or several.
    public var listen: [ListenAddress]
    /// `upstream`.
    public var upstream: UpstreamAddress
    /// `timeouts`.
    public var timeouts: Timeouts
    /// `max_connections`: accepting pauses at this number.
    public var maxConnections: Int
    /// `proxy_protocol`; nil without it.
    public var proxyProtocol: ProxyProtocolSettings?
    /// `interception`; nil without it. Only with `upstream: original-destination`.
    public var interception: InterceptionSettings?
    /// `tls_routing`; nil without it, and then the upstream is connected without waiting for the client.
    public var tlsRouting: TLSRoutingSettings?
    /// `requested`; nil without it. Only with `upstream: requested`.
    public var requested: RequestedSettings?
    /// `upstream_proxy`: the proxy through which the upstream is connected; nil: directly.
    public var upstreamProxy: UpstreamProxySettings?
    /// `tls`: clients speak TLS; nil: they do not.
    public var tls: TLSSettings?
    /// `upstream_tls`: the upstream speaks TLS; nil: it does not.
    public var upstreamTLS: UpstreamTLSSettings?
    /// `tls_keylog`: the keys of the TLS sessions are written to the file in `SSLKEYLOGFILE`.
    public var writesKeyLog: Bool
    /// `record`; nil without a tap.
    public var record: RecordSettings?

    /// Settings with the defaults of the omitted values.
    public init(
        name: String, listen: [ListenAddress], upstream: UpstreamAddress, timeouts: Timeouts = Timeouts(),
        maxConnections: Int = RelaySettings.defaultMaxConnections, proxyProtocol: ProxyProtocolSettings? = nil,
        interception: InterceptionSettings? = nil, tlsRouting: TLSRoutingSettings? = nil,
        requested: RequestedSettings? = nil, upstreamProxy: UpstreamProxySettings? = nil, tls: TLSSettings? = nil,
        upstreamTLS: UpstreamTLSSettings? = nil, writesKeyLog: Bool = false, record: RecordSettings? = nil
    ) {
        self.name = name
        self.listen = listen
        self.upstream = upstream
        self.timeouts = timeouts
        self.maxConnections = maxConnections
        self.proxyProtocol = proxyProtocol
        self.interception = interception
        self.tlsRouting = tlsRouting
        self.requested = requested
        self.upstreamProxy = upstreamProxy
        self.tls = tls
        self.upstreamTLS = upstreamTLS
        self.writesKeyLog = writesKeyLog
        self.record = record
    }

    /// Whether a side speaks TLS.
    public var hasTLS: Bool { tls != nil || upstreamTLS != nil }

    /// The default of `max_connections`.
    public static let defaultMaxConnections = 10_000
    /// The largest `max_connections`: a connection uses two descriptors, and no process has two million.
    public static let mostConnections = 1_000_000

    /// The longest name in bytes.
    static let longestName = 64

    /// The text, if it is a valid name. File names, metrics and logs contain it unescaped.
    static func checkedName(_ text: String) throws(ValueError) -> String {
        let isGood =
            text.utf8.count <= longestName
            && text.utf8.allSatisfy { byte in
                let character = Character(Unicode.Scalar(byte))
                return byte < 0x80 && (character.isLetter || character.isNumber || "._-".contains(character))
            }
        guard isGood, let first = text.first, first.isLetter || first.isNumber else {
            throw ValueError(
                "\(quoted(text)) is not a relay name; a name has 1 to \(longestName) of the characters A-Z a-z 0-9 . "
                    + "_ - and begins with a letter or a digit")
        }
        return text
    }
}
