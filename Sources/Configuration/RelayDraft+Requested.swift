internal import Sockets
import Text

extension RelayDraft {
    /// Reads `requested`. `upstream` is the relay's, or nil if it is invalid.
    static func requested(_ field: Field, upstream: UpstreamAddress?) -> RequestedSettings? {
        guard let fields = field.fields(RequestedKey.self) else { return nil }
        if let upstream, upstream != .requested {
            field.report(
                "only for a relay with `upstream: \(UpstreamAddress.requested)`; set that, or remove this")
        }
        var settings = RequestedSettings()
        if let timeout = fields[.timeout]?.duration() {
            if timeout != .zero, timeout < RequestedSettings.leastTimeout {
                fields[.timeout]?.report(
                    "\(DurationText.text(of: timeout)) is too short to retransmit a lost packet; write at least "
                        + "\(DurationText.text(of: RequestedSettings.leastTimeout)), or 0 for no limit")
            }
            settings.timeout = timeout
        }
        if let allow = fields[.allow] {
            let elements = allow.elements()
            if elements.isEmpty {
                allow.report(
                    "no destination would be allowed; write destinations such as [10.0.0.0/8, \"*.example.com:443\"], or "
                        + "remove this to allow every destination")
            }
            settings.allow = elements.compactMap { element in
                element.value { text throws(ValueError) in try RequestRule(parsing: text) }
            }
        }
        return settings
    }

    /// Reports settings that exclude `upstream: requested`.
    func reportConflicts(withRequested tlsRoutingField: Field?) {
        for listener in listen {
            guard let message = ListenAddress.lackOfAccessControl(listener.value) else { continue }
            problems.report(listener.mark, "`listen`: \(message)")
        }
        tlsRoutingField?.report(
            "cannot be combined with `upstream: \(UpstreamAddress.requested)`: each client requests its destination; write a "
                + "fixed `upstream`, or remove this")
    }
}

extension ListenAddress {
    /// Why a relay with `upstream: requested` must not listen there; nil if it may. Every client of such a relay can reach
    /// what this machine reaches, and there is no list of permitted clients yet.
    static func lackOfAccessControl(_ listen: ListenAddress) -> String? {
        guard !listen.isLocal else { return nil }
        return "\(quoted(listen.description)) can be reached from other machines, and every client of a relay with "
            + "`upstream: \(UpstreamAddress.requested)` could connect through this machine; Tapline cannot restrict such a "
            + "relay's clients (`access.allow` is not supported yet), so listen on loopback, "
            + "such as \(listen.port ?? 1080), or on a Unix socket"
    }
}
