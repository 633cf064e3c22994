internal import Sockets

extension RelayDraft {
    /// Reads `interception`. `upstream` is the relay's, or nil if it is invalid.
    static func interception(_ field: Field, upstream: UpstreamAddress?) -> InterceptionSettings? {
        guard let fields = field.fields(InterceptionKey.self) else { return nil }
        if let upstream, upstream != .originalDestination {
            field.report(
                "only a relay with `upstream: \(UpstreamAddress.originalDestination)` intercepts; write that, or take this out"
            )
        }
        if InterceptionKey.allCases.allSatisfy({ fields[$0] == nil }) {
            field.report("says nothing; write `allow: [10.0.0.0/8]` or `mark: 0x7a70`, or take it out")
        }
        let allow = fields[.allow]
        if let allow, case .sequence(let nodes) = allow.node.content, nodes.isEmpty {
            allow.report(
                "nobody could be connected; write networks such as [10.0.0.0/8, \"2001:db8::/32\"], or take it out")
        }
        return InterceptionSettings(allow: allow?.networks(), mark: fields[.mark]?.value(MarkText.parse))
    }

    /// Reports settings that exclude `upstream: original-destination`.
    func reportConflicts(_ proxyProtocolField: Field?, _ tlsRoutingField: Field?) {
        let upstream = "`upstream: \(UpstreamAddress.originalDestination)`"
        for listener in listen where listener.value.port == nil {
            problems.report(
                listener.mark,
                "`listen`: nobody is redirected to a Unix socket, so it cannot stand beside \(upstream); write a port")
        }
        if proxyProtocol?.accept != nil {
            proxyProtocolField?.report(
                "`accept` cannot stand beside \(upstream): who is redirected knows nothing of Tapline, and sends no header"
            )
        }
        tlsRoutingField?.report(
            "cannot stand beside \(upstream): each client is taken to where it wanted to go; write a fixed `upstream`, or take "
                + "this out")
    }
}
