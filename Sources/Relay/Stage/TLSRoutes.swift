internal import Configuration
internal import TLSHello

/// The routes from ClientHello to upstream: the most specific one is used. Immutable; any thread.
///
/// A name comes before a wildcard that covers it, the longer of two wildcards before the shorter, and any of them before a
/// route without names. Among equals, a route for an application protocol that the client offers, in the client's order of
/// preference, comes before a route for any protocol.
struct TLSRoutes: Sendable {
    /// One route.
    struct Route: Hashable, Sendable {
        /// The part of the configuration that matched: `*.example.com`, `api.example.com with ALPN h2`, `ALPN acme-tls/1`.
        let pattern: String
        let destination: Destination
    }

    /// The routes of one name, or of clients with any name.
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
    /// By the part after `*.`.
    private var below: [[UInt8]: Choices] = [:]
    private var nameless = Choices()
    /// A client without a route is refused, instead of going to the relay's own upstream.
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
                        Route(pattern: "\(pattern)", destination: Destination(upstream)), name, application)
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

    /// A client's route; nil if there is none.
    func route(for hello: Hello) -> Route? {
        guard let asked = hello.serverName else { return nameless.route(for: hello) }
        var name = asked.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }[...]
        if name.last == UInt8(ascii: ".") { name = name.dropLast() }
        if let route = exact[Array(name)]?.route(for: hello) { return route }
        // The longest suffix comes first. A valid name has at most 127 dots, an invalid one 255.
        while !below.isEmpty, let dot = name.firstIndex(of: UInt8(ascii: ".")) {
            let hasFirstPart = dot > name.startIndex
            name = name[(dot + 1)...]
            if hasFirstPart, let route = below[Array(name)]?.route(for: hello) { return route }
        }
        return nameless.route(for: hello)
    }
}
