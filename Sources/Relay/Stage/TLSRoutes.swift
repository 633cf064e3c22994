internal import Configuration
internal import TLSHello

/// Which upstream a ClientHello leads to: the most specific route that takes it. Immutable; any thread.
///
/// A name itself comes before what covers it with a wildcard, the longer of two wildcards before the shorter, and any of
/// them before a route without names. Where that is equal, a route for an application protocol that the client offers, the
/// one it likes best first, comes before a route for any.
struct TLSRoutes: Sendable {
    /// A route, as far as a connection wants to know it.
    struct Route: Hashable, Sendable {
        /// What of the configuration took the client: `*.example.com`, `api.example.com with ALPN h2`, `ALPN acme-tls/1`.
        let pattern: String
        /// The upstream as configured.
        let upstreamText: String
        let target: RelayRuntime.Target
    }

    /// The routes of one name, or of all who come with any.
    private struct Choices: Sendable {
        var any: Route?
        var byApplication: [[UInt8]: Route] = [:]

        func route(for hello: Hello) -> Route? {
            guard !byApplication.isEmpty else { return any }
            return hello.applications.lazy.compactMap { byApplication[$0] }.first ?? any
        }
    }

    /// Names in lower case, without a root dot.
    private var exact: [[UInt8]: Choices] = [:]
    /// By what stands behind `*.`.
    private var below: [[UInt8]: Choices] = [:]
    private var nameless = Choices()
    /// Whoever no route takes is refused.
    let refusesOthers: Bool

    init(_ settings: TLSRoutingSettings, upstream: UpstreamAddress) {
        refusesOthers = settings.otherwise == .refuse
        for route in settings.routes {
            let upstream = route.upstream ?? upstream
            let names = route.serverNames.isEmpty ? [nil] : route.serverNames.map(Optional.some)
            let applications = route.applications.isEmpty ? [nil] : route.applications.map(Optional.some)
            for name in names {
                for application in applications {
                    let pattern = TLSRoutingSettings.Route(
                        serverNames: name.map { [$0] } ?? [], applications: application.map { [$0] } ?? [])
                    add(
                        Route(
                            pattern: "\(pattern)", upstreamText: upstream.description,
                            target: RelayRuntime.Target(upstream)),
                        name, application)
                }
            }
        }
    }

    private mutating func add(_ route: Route, _ name: ServerName?, _ application: String?) {
        func put(into choices: inout Choices) {
            if let application { choices.byApplication[Array(application.utf8)] = route } else { choices.any = route }
        }
        switch name {
        case .exactly(let name): put(into: &exact[Array(name.utf8), default: Choices()])
        case .below(let name): put(into: &below[Array(name.utf8), default: Choices()])
        case nil: put(into: &nameless)
        }
    }

    /// The route that takes a client; nil where none does.
    func route(for hello: Hello) -> Route? {
        guard let asked = hello.serverName else { return nameless.route(for: hello) }
        var name = asked.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }[...]
        if name.last == UInt8(ascii: ".") { name = name.dropLast() }
        if let route = exact[Array(name)]?.route(for: hello) { return route }
        // The longest part behind a dot comes first. A name has 127 dots at most where it is one, and 255 where it is not.
        while !below.isEmpty, let dot = name.firstIndex(of: UInt8(ascii: ".")) {
            let hasFirstPart = dot > name.startIndex
            name = name[(dot + 1)...]
            if hasFirstPart, let route = below[Array(name)]?.route(for: hello) { return route }
        }
        return nameless.route(for: hello)
    }
}
