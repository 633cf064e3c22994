extension RelayDraft {
    /// Reads `upstream_proxy`.
    static func upstreamProxy(_ field: Field) -> Located<UpstreamProxySettings>? {
        field.value { text throws(ValueError) in
            Located(value: try UpstreamProxySettings(parsing: text), mark: field.mark)
        }
    }

    /// Reports upstreams that cannot be connected through a proxy.
    func reportConflictsWithProxy() {
        guard upstreamProxy != nil else { return }
        for upstream in [upstream].compactMap(\.self) + routedUpstreams {
            guard let message = UpstreamProxySettings.obstacle(upstream.value) else { continue }
            problems.report(upstream.mark, "`upstream`: \(message); remove `upstream_proxy`, or write another upstream")
        }
    }
}
