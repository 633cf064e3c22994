internal import Sockets

/// Who may ask what: the checks that come before a route is carried out. Pure.
struct Gate: Sendable {
    /// What a request says of itself, as far as it is checked.
    struct Visitor: Hashable, Sendable {
        var method: String
        /// The path without its query.
        var path: String
        /// `Host`.
        var host: String?
        /// Whether `Host` is there more than once: then two readers of the request may not mean the same one.
        var isHostRepeated = false
        /// `Origin`.
        var origin: String?
        /// `Sec-Fetch-Site` (W3C, Fetch Metadata): what the browser says of whose page it was.
        var fetchSite: String?
        /// `Authorization`.
        var authorization: String?
    }

    /// Names good in `Host` besides IP literals and localhost, in lower case.
    let hosts: Set<String>
    /// The bearer token; nil: none is asked for.
    let token: String?
    /// Whether `Host` may be anything, or missing: on a Unix socket, which no browser can be led to by a name. Clients
    /// there write the socket's path, `localhost`, a word of their own, or nothing.
    let acceptsAnyHost: Bool

    /// A gate by the settings' hosts and a token.
    init(hosts: [String], token: String?, acceptsAnyHost: Bool = false) {
        self.hosts = Set(hosts.map { $0.lowercased() })
        self.token = token
        self.acceptsAnyHost = acceptsAnyHost
    }

    /// Admits a request: the route, or why not. `Host` is checked first: a page that gets here by DNS rebinding learns
    /// nothing more.
    func admit(_ visitor: Visitor) throws(AdminError) -> Route {
        guard !visitor.isHostRepeated else { throw .badRequest("Host is there twice") }
        guard acceptsAnyHost || visitor.host.map(isOwn(host:)) == true else { throw .foreignHost(visitor.host) }
        if let origin = visitor.origin, !isOwn(origin: origin, host: visitor.host ?? "") {
            throw .foreignOrigin(origin)
        }
        let route = Route(path: visitor.path)
        // A browser says so also where it sends no Origin: a link in another page may show ours, and nothing else.
        if let site = visitor.fetchSite?.lowercased(), site != "same-origin", site != "none", route != .page {
            throw .foreignOrigin("another site")
        }
        // Who has no token does not learn what there is.
        if let token, !(route?.isOpen ?? false), !Self.isToken(visitor.authorization, token) { throw .unauthorized }
        guard let route else {
            throw .notFound("there is nothing at \(AdminError.quoted(visitor.path)); GET /v1/status is a start")
        }
        guard route.methods.contains(visitor.method) else {
            throw .methodNotAllowed(visitor.method, route.methods)
        }
        return route
    }

    // MARK: Host and Origin

    private func isOwn(host: String) -> Bool {
        guard let name = Self.name(ofHost: host) else { return false }
        if name.hasPrefix("[") { return IPv6Address(String(name.dropFirst().dropLast())) != nil }
        // A name may end in a dot.
        let plain = (name.hasSuffix(".") ? String(name.dropLast()) : name).lowercased()
        guard !plain.split(separator: ".", omittingEmptySubsequences: false).contains("") else { return false }
        return IPv4Address(plain) != nil || plain == "localhost" || plain.hasSuffix(".localhost")
            || hosts.contains(plain)
    }

    /// The host without its port; nil when that is none.
    private static func name(ofHost host: String) -> String? {
        let end: String.Index
        if host.hasPrefix("[") {
            guard let bracket = host.firstIndex(of: "]") else { return nil }
            end = host.index(after: bracket)
        } else {
            end = host.firstIndex(of: ":") ?? host.endIndex
        }
        let rest = host[end...]
        guard rest.isEmpty || (rest.first == ":" && isPort(rest.dropFirst())) else { return nil }
        return end == host.startIndex ? nil : String(host[..<end])
    }

    /// Digits only: `UInt16` by itself would take a sign, too.
    private static func isPort(_ text: Substring) -> Bool {
        text.utf8.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") } && UInt16(text) != nil
    }

    /// A page's own origin is the host that it was fetched from; what stands before it, TLS or not, may be a proxy's.
    private func isOwn(origin: String, host: String) -> Bool {
        let own = host.lowercased()
        let origin = origin.lowercased()
        return origin == "http://\(own)" || origin == "https://\(own)"
    }

    // MARK: Token

    /// Whether a field holds the token. How long it takes says nothing of what is right in it.
    static func isToken(_ authorization: String?, _ token: String) -> Bool {
        let scheme = "bearer "
        let given = Array((authorization ?? "").utf8)
        let expected = Array(token.utf8)
        var difference: UInt8 = given.count == scheme.utf8.count + expected.count ? 0 : 1
        for (index, byte) in scheme.utf8.enumerated() {
            difference |= (index < given.count ? given[index] | 0x20 : 0) ^ byte
        }
        for (index, byte) in expected.enumerated() {
            let place = scheme.utf8.count + index
            difference |= (place < given.count ? given[place] : 0) ^ byte
        }
        return difference == 0
    }
}
