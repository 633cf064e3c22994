internal import Sockets
import Text

extension RelayDraft {
    /// Reads `tls_routing`. Also returns its routes' upstreams with their positions.
    static func tlsRouting(
        _ field: Field
    ) -> (settings: TLSRoutingSettings, upstreams: [Located<UpstreamAddress>])? {
        guard let fields = field.fields(TLSRoutingKey.self) else { return nil }
        var settings = TLSRoutingSettings(routes: [])
        settings.otherwise = fields[.otherwise]?.choice(TLSRoutingSettings.Otherwise.self) ?? settings.otherwise
        settings.timeout = fields[.timeout]?.duration() ?? settings.timeout
        if settings.timeout != .zero, settings.timeout < TLSRoutingSettings.leastTimeout {
            fields[.timeout]?.report(
                "\(DurationText.text(of: settings.timeout)) is too short to retransmit a lost packet; write at least "
                    + "\(DurationText.text(of: TLSRoutingSettings.leastTimeout)), or 0 for no limit")
        }
        let nodes = fields.required(.routes, in: "`tls_routing`").map(nodes) ?? []
        var upstreams: [Located<UpstreamAddress>] = []
        var claims = RouteClaims()
        for (index, node) in nodes.enumerated() {
            guard let route = route(node, number: index + 1, field.reading) else { continue }
            if let upstream = route.upstream { upstreams.append(upstream) }
            claims.add(route.names, route.applications, field.reading.problems)
            settings.routes.append(
                TLSRoutingSettings.Route(
                    serverNames: route.names.map(\.value), applications: route.applications.map(\.value),
                    upstream: route.upstream?.value))
        }
        return (settings, upstreams)
    }

    /// Reads one entry of `routes`, with positions.
    private static func route(
        _ node: YAMLNode, number: Int, _ reading: Reading
    ) -> (names: [Located<ServerName>], applications: [Located<String>], upstream: Located<UpstreamAddress>?)? {
        guard let fields = Fields<TLSRouteKey>(node, called: "route \(number)", reading) else { return nil }
        if fields[.serverName] == nil, fields[.applications] == nil {
            reading.problems.report(
                fields.mark,
                "route \(number) matches no client; write a `server_name`, such as "
                    + "api.example.com or \"*.example.com\", or an `alpn`")
        }
        return (
            fields[.serverName].map(serverNames) ?? [], fields[.applications].map(applications) ?? [],
            fields[.upstream]?.upstream()
        )
    }

    private static func nodes(_ field: Field) -> [YAMLNode] {
        switch field.node.content {
        case .refused:
            return []
        case .sequence(let nodes) where !nodes.isEmpty:
            return nodes
        case .sequence, .scalar("", isPlain: true):
            field.report("at least one route is needed")
        case .scalar, .mapping:
            field.report("must be a list; begin each route with `-`")
        }
        return []
    }

    private static func serverNames(_ field: Field) -> [Located<ServerName>] {
        located(field) { text throws(ValueError) in try ServerName(parsing: text) }
    }

    static func applications(_ field: Field) -> [Located<String>] {
        located(field) { text throws(ValueError) in
            // RFC 7301, section 3.1: 1 to 255 bytes. Registered ones are printable.
            guard (1...255).contains(text.utf8.count), text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw ValueError(
                    "\(quoted(text)) is not an application protocol; write its ALPN name, "
                        + "such as h2, http/1.1, acme-tls/1"
                )
            }
            return text
        }
    }

    private static func located<Value>(
        _ field: Field, _ parse: (String) throws(ValueError) -> Value
    ) -> [Located<Value>] {
        let elements = field.elements()
        if elements.isEmpty { field.report("at least one entry is needed") }
        return elements.compactMap { element in
            element.value(parse).map { Located(value: $0, mark: element.mark) }
        }
    }
}

/// Finds routes that match the same clients.
private struct RouteClaims {
    private struct Claim: Hashable {
        let name: ServerName?
        let application: String?

        var words: String {
            let name = name.map { "`\($0)`" }
            guard let application else { return name ?? "" }
            return [name, "ALPN `\(application)`"].compactMap(\.self).joined(separator: " with ")
        }
    }

    private var first: [Claim: Mark] = [:]

    mutating func add(_ names: [Located<ServerName>], _ applications: [Located<String>], _ problems: Problems) {
        for name in Self.orAny(names) {
            for application in Self.orAny(applications) {
                guard let mark = name?.mark ?? application?.mark else { continue }
                let claim = Claim(name: name?.value, application: application?.value)
                guard let other = first[claim] else {
                    first[claim] = mark
                    continue
                }
                let key: TLSRouteKey = name == nil ? .applications : .serverName
                problems.report(
                    mark,
                    "`\(key.rawValue)`: duplicate route for \(claim.words), first on line \(other.line)")
            }
        }
    }

    /// The values, or nil for any value if there are none.
    private static func orAny<Value>(_ values: [Located<Value>]) -> [Located<Value>?] {
        values.isEmpty ? [nil] : values.map(Optional.some)
    }
}

extension Field {
    /// Reads a route's upstream.
    fileprivate func upstream() -> Located<UpstreamAddress>? {
        value { text throws(ValueError) in
            try TLSAdvice.check(upstream: text)
            let address = try UpstreamAddress(parsing: text, directory: reading.directory)
            guard address != .originalDestination, address != .requested else {
                throw ValueError("`\(address)` is only for the relay's `upstream`; a route needs an address")
            }
            return Located(value: address, mark: mark)
        }
    }
}
