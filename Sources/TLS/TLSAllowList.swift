/// The peers that may connect, by the names in their certificates: one match is enough. A value; any thread.
public struct TLSAllowList: Hashable, Sendable {
    /// DNS names; `*` stands for one whole label, as in `*.example.com`.
    public var dns: [String]
    /// URIs; `*` covers part of one path segment, and `**` any number of them.
    public var uri: [String]
    /// Common names, exactly.
    public var commonNames: [String]
    /// Public keys, as `sha256/` and Base64.
    public var pins: [String]

    /// A list; an empty one allows every certificate that is valid.
    public init(dns: [String] = [], uri: [String] = [], commonNames: [String] = [], pins: [String] = []) {
        self.dns = dns.map { $0.lowercased() }
        self.uri = uri
        self.commonNames = commonNames
        self.pins = pins
    }

    /// Whether nothing is listed, which allows every valid certificate.
    public var isEmpty: Bool { dns.isEmpty && uri.isEmpty && commonNames.isEmpty && pins.isEmpty }

    /// The name, or the pin, of a certificate that is listed; nil if none is.
    public func match(_ certificate: TLSCertificate) -> String? {
        if let uri = certificate.uris.first(where: { name in uri.contains { Self.matches($0, uri: name) } }) {
            return uri
        }
        if let name = certificate.dnsNames.first(where: { name in dns.contains { Self.matches($0, dns: name) } }) {
            return name
        }
        if let name = certificate.commonName, commonNames.contains(name) { return name }
        return pins.contains(certificate.pin) ? certificate.pin : nil
    }

    /// Whether a pattern covers a DNS name. Both in lower case. A star of a wildcard certificate is no label.
    public static func matches(_ pattern: String, dns name: String) -> Bool {
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        let pattern = pattern.split(separator: ".", omittingEmptySubsequences: false)
        guard labels.count == pattern.count else { return false }
        return zip(pattern, labels).allSatisfy { $0 == "*" ? !$1.isEmpty && $1 != "*" : $0 == $1 }
    }

    /// Whether a pattern can cover a DNS name: `*` is a whole label, and no label is empty.
    public static func isPossible(dns pattern: String) -> Bool {
        pattern.split(separator: ".", omittingEmptySubsequences: false).allSatisfy {
            $0 == "*" || !$0.isEmpty && !$0.contains("*")
        }
    }

    /// Whether a pattern covers a URI.
    public static func matches(_ pattern: String, uri: String) -> Bool {
        matches(Array(pattern.utf8)[...], Array(uri.utf8)[...])
    }

    /// Follows every position of the text that the pattern can have reached: the work is bounded by the product of both
    /// lengths, whatever stars a pattern has.
    private static func matches(_ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
        let star = UInt8(ascii: "*")
        let slash = UInt8(ascii: "/")
        var reachable = [true] + [Bool](repeating: false, count: text.count)
        var pattern = pattern
        while let symbol = pattern.first {
            pattern = pattern.dropFirst()
            var next = [Bool](repeating: false, count: reachable.count)
            if symbol == star {
                let isDeep = pattern.first == star
                if isDeep { pattern = pattern.dropFirst() }
                for (position, byte) in zip(reachable.indices, [0] + Array(text)) {
                    let continues = position > 0 && next[position - 1] && (isDeep || byte != slash)
                    next[position] = reachable[position] || continues
                }
            } else {
                for (position, byte) in zip(1..., text) { next[position] = reachable[position - 1] && byte == symbol }
            }
            reachable = next
        }
        return reachable.last ?? false
    }
}

extension TLSAllowList: CustomStringConvertible {
    /// `a name of: dns *.internal, uri spiffe://corp/**`.
    public var description: String {
        let parts =
            dns.map { "dns \($0)" } + uri.map { "uri \($0)" } + commonNames.map { "cn \($0)" }
            + pins.map { "spki \($0)" }
        return "one of \(parts.joined(separator: ", "))"
    }
}
