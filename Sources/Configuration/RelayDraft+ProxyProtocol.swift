public import Sockets
import Text

/// Booleans in a configuration.
private enum Answer: String, CaseIterable {
    case yes = "true"
    case no = "false"
}

extension RelayDraft {
    /// Reads `proxy_protocol`. `listen` has the relay's listeners: TCP listeners require trusted addresses.
    static func proxyProtocol(_ field: Field, listen: [ListenAddress]) -> ProxyProtocolSettings? {
        guard let fields = field.fields(ProxyProtocolKey.self) else { return nil }
        var settings = ProxyProtocolSettings()
        settings.send = fields[.send]?.choice(ProxyProtocolSettings.Version.self)
        let accepts = fields[.accept].map { $0.choice(Answer.self) == .yes } ?? false
        let trusted = fields[.trusted]?.networks() ?? []
        let timeout = fields[.timeout]?.duration() ?? ProxyProtocolSettings.defaultTimeout
        if timeout != .zero, timeout < ProxyProtocolSettings.defaultTimeout {
            fields[.timeout]?.report(
                "\(DurationText.text(of: timeout)) is too short to retransmit a lost packet; write at least "
                    + "\(DurationText.text(of: ProxyProtocolSettings.defaultTimeout)), or 0 for no limit")
        }
        guard accepts else {
            if fields[.accept] == nil {
                for key in [ProxyProtocolKey.trusted, .timeout] {
                    fields[key]?.report("has no effect without `accept: true`; add that, or remove this")
                }
                if ProxyProtocolKey.allCases.allSatisfy({ fields[$0] == nil }) {
                    field.report("has no effect; write `accept: true` with `trusted`, or `send: v1` or `send: v2`")
                }
            }
            return settings.send == nil ? nil : settings
        }
        let hasTrustedNetworks = fields[.trusted].map { !$0.elements().isEmpty } ?? false
        if !hasTrustedNetworks, let message = lackOfTrust(listen) {
            (fields[.trusted] ?? fields[.accept])?.report(message)
        }
        settings.accept = .init(trusted: trusted, timeout: timeout)
        return settings
    }

    /// The message for TCP listeners without trusted addresses; nil if all listeners are Unix sockets.
    private static func lackOfTrust(_ listen: [ListenAddress]) -> String? {
        let overTCP = listen.filter { $0.port != nil }
        guard !overTCP.isEmpty else { return nil }
        let advice = "`trusted: [127.0.0.0/8, \"::1\"]`"
        return "a header can claim any client address, so its senders must be trusted: "
            + (overTCP.allSatisfy(\.isLocal)
                ? "for programs on this machine, add \(advice)"
                : "add the load balancers, such as `trusted: [10.0.0.0/8]`, or \(advice) for programs on this machine")
    }
}

extension Network {
    /// Parses a network or one address.
    public init(parsing text: String) throws(ValueError) {
        guard let network = Network(text) else {
            throw ValueError(
                "\(quoted(text)) is not a network; write 10.0.0.0/8, 2001:db8::/32 or one address, without bits "
                    + "beyond the prefix length")
        }
        self = network
    }
}
