/// A SPEC without what other tools, chat programs and browsers add to it: URLs, arrows, spaces, quotes, paths.
struct SpecText {
    /// The remaining text; not necessarily a valid SPEC.
    private(set) var text: String
    /// What was wrong, in a few words; nil if nothing was changed.
    private(set) var reason: String?
    /// A URL said that clients speak TLS, or that the upstream does; the text does not any more.
    private(set) var hasTLS = false
    private(set) var hasUpstreamTLS = false

    /// The parts of a SPEC are separated by these in other notations.
    private static let separators = ["->", "=>", "→", "：", "﹕"]
    private static let quotes: Set<Character> = ["\"", "'", "`", "“", "”", "‘", "’"]
    /// Address types of socat.
    private static let prefixes = [
        "tcp-listen:", "tcp4-listen:", "tcp6-listen:", "tcp-connect:", "tcp4:", "tcp6:", "tcp:",
    ]

    init(_ spec: String) {
        text = spec
        change("a SPEC has no quotes") { String($0.drop { Self.quotes.contains($0) }).withoutLast(Self.quotes) }
        change("a SPEC has colons between its parts") { text in
            Self.separators.reduce(text) { $0.replacing($1, with: ":") }
        }
        change("a SPEC has no spaces", Self.withoutSpaces)
        noteSecureURL()
        change("Tapline forwards TCP, not URLs", Self.withoutURL)
        change("a SPEC has no `tcp:`", Self.withoutPrefix)
        change("Tapline forwards TCP, and a SPEC has no path", Self.withoutPath)
    }

    private mutating func change(_ reason: String, _ body: (String) -> String) {
        let changed = body(text)
        guard changed != text else { return }
        text = changed
        self.reason = self.reason ?? reason
    }

    /// Notes the URL that `withoutURL` removes, if its scheme stands for TLS.
    private mutating func noteSecureURL() {
        guard let mark = text.firstRange(of: "://") else { return }
        guard WellKnownPort.isSecure(Self.scheme(at: text[..<mark.lowerBound])) else { return }
        // Before a `=`, the URL is where clients connect.
        let isListener = text[mark.upperBound...].prefix { !"/?#".contains($0) }.contains("=")
        if isListener { hasTLS = true } else { hasUpstreamTLS = true }
    }

    private static func scheme(at text: Substring) -> String {
        String(text.reversed().prefix { $0.isLetter || $0.isNumber || $0 == "+" }.reversed())
    }

    private static func withoutSpaces(_ text: String) -> String {
        text.split(whereSeparator: \.isWhitespace).reduce(into: "") { joined, word in
            let isOpen = joined.isEmpty || ":=".contains(joined.last ?? ":") || ":=".contains(word.first ?? ":")
            joined += isOpen ? String(word) : ":" + word
        }
    }

    /// `8080:http://user@localhost:8000/path?query` becomes `8080:localhost:8000`; without a port, that of the scheme is
    /// added.
    private static func withoutURL(_ text: String) -> String {
        guard let mark = text.firstRange(of: "://") else { return text }
        let before = text[..<mark.lowerBound]
        let scheme = scheme(at: before)
        var authority = text[mark.upperBound...].prefix { !"/?#".contains($0) }
        if let at = authority.lastIndex(of: "@") { authority = authority[authority.index(after: at)...] }
        let port = authority.last == "]" || !authority.contains(":") ? WellKnownPort.number(of: scheme) : nil
        return before.dropLast(scheme.count) + authority + (port.map { ":\($0)" } ?? "")
    }

    private static func withoutPrefix(_ text: String) -> String {
        let lowercased = text.lowercased()
        guard let prefix = prefixes.first(where: lowercased.hasPrefix) else { return text }
        // Options of socat follow a comma.
        return String(text.dropFirst(prefix.count).prefix { $0 != "," })
    }

    private static func withoutPath(_ text: String) -> String {
        guard !text.contains("unix:"), let slash = text.firstIndex(of: "/"), slash > text.startIndex,
            !":=".contains(text[text.index(before: slash)])
        else { return text }
        return String(text[..<slash])
    }
}

extension String {
    /// The text without the characters of a set at its end.
    fileprivate func withoutLast(_ characters: Set<Character>) -> String {
        var text = self[...]
        while let last = text.last, characters.contains(last) { text = text.dropLast() }
        return String(text)
    }
}
