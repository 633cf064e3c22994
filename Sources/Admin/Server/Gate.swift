internal import Sockets

/// Decides which requests are admitted. Pure.
struct Gate: Sendable {
    /// The checked properties of a request.
    struct Request: Hashable, Sendable {
        var method: String
        /// The path without its query.
        var path: String
        /// `Host`.
        var host: String?
        /// Whether `Host` is repeated: then two parsers may choose different ones.
        var isHostRepeated = false
        /// `Origin`.
        var origin: String?
        /// `Sec-Fetch-Site` (W3C, Fetch Metadata): the browser's relation of the requesting page to this server.
        var fetchSite: String?
        /// `Authorization`.
        var authorization: String?
    }

    /// Names that `Host` may contain besides IP literals and localhost, in lower case.
    let hosts: Set<String>
    /// The bearer token; nil: none is required.
    let token: String?
    /// Whether `Host` is not checked: on a Unix socket, which a browser cannot reach by a name. Its clients send the socket's
    /// path, `localhost`, any other word, or no `Host`.
    let acceptsAnyHost: Bool

    /// A gate with the settings' hosts and a token.
    init(hosts: [String], token: String?, acceptsAnyHost: Bool = false) {
        self.hosts = Set(hosts.map { $0.lowercased() })
        self.token = token
        self.acceptsAnyHost = acceptsAnyHost
    }

    /// Returns the route of an admitted request, or throws the refusal. `Host` is checked first, so that a page that uses DNS
    /// rebinding learns nothing else.
    func admit(_ request: Request) throws(AdminError) -> Route {
        guard !request.isHostRepeated else { throw .badRequest("duplicate Host header") }
        guard acceptsAnyHost || request.host.map(isOwn(host:)) == true else { throw .foreignHost(request.host) }
        if let origin = request.origin, !isOwn(origin: origin, host: request.host ?? "") {
            throw .foreignOrigin(origin)
        }
        let route = Route(path: request.path)
        // Browsers also send it without Origin. A link in another site's page may open the page, and nothing else.
        if let site = request.fetchSite?.lowercased(), site != "same-origin", site != "none", route != .page {
            throw .foreignOrigin("another site")
        }
        // Without the token, a client does not learn which paths exist.
        if let token, !(route?.isOpen ?? false), !Self.isToken(request.authorization, token) { throw .unauthorized }
        guard let route else {
            throw .notFound("no such path: \(AdminError.quoted(request.path)); try GET /v1/status")
        }
        guard route.methods.contains(request.method) else {
            throw .methodNotAllowed(request.method, route.methods)
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

    /// The host without its port; nil if invalid.
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

    /// Digits only: `UInt16` would accept a sign.
    private static func isPort(_ text: Substring) -> Bool {
        text.utf8.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") } && UInt16(text) != nil
    }

    /// The page's origin is the host that it was loaded from, with either scheme, because a proxy may add TLS.
    private func isOwn(origin: String, host: String) -> Bool {
        let own = host.lowercased()
        let origin = origin.lowercased()
        return origin == "http://\(own)" || origin == "https://\(own)"
    }

    // MARK: Token

    /// Whether a field contains the token. Compares in constant time.
    static func isToken(_ authorization: String?, _ token: String) -> Bool {
        let scheme = "bearer "
        let given = Array((authorization ?? "").utf8)
        let expected = Array(token.utf8)
        var difference: UInt8 = given.count == scheme.utf8.count + expected.count ? 0 : 1
        for (index, byte) in scheme.utf8.enumerated() {
            difference |= (index < given.count ? given[index] | 0x20 : 0) ^ byte
        }
        for (index, byte) in expected.enumerated() {
            let position = scheme.utf8.count + index
            difference |= (position < given.count ? given[position] : 0) ^ byte
        }
        return difference == 0
    }
}
