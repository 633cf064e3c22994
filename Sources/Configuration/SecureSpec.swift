internal import Sockets

/// A `SPEC` of `tapline forward` without its words for TLS: `tls:` before the listener, or before the upstream, of the form
/// `LISTEN=UPSTREAM`.
struct SecureSpec: Hashable {
    /// The word.
    static let word = "tls:"

    /// The spec without the words.
    let plain: String
    /// Clients speak TLS.
    let hasTLS: Bool
    /// The upstream speaks TLS.
    let hasUpstreamTLS: Bool

    init(plain: String, hasTLS: Bool, hasUpstreamTLS: Bool) {
        (self.plain, self.hasTLS, self.hasUpstreamTLS) = (plain, hasTLS, hasUpstreamTLS)
    }

    init(_ spec: String) {
        guard let equals = spec.firstIndex(of: "=") else {
            (plain, hasTLS, hasUpstreamTLS) = (spec, false, false)
            return
        }
        var (listen, upstream) = (spec[..<equals], spec[equals...].dropFirst())
        hasTLS = listen.hasPrefix(Self.word)
        hasUpstreamTLS = upstream.hasPrefix(Self.word)
        if hasTLS { listen = listen.dropFirst(Self.word.count) }
        if hasUpstreamTLS { upstream = upstream.dropFirst(Self.word.count) }
        plain = "\(listen)=\(upstream)"
    }

    /// A spec without the words for TLS, in any of its notations, with the words. Nil where TLS needs a host and a port.
    static func spec(_ plain: String, hasTLS: Bool, hasUpstreamTLS: Bool) -> String? {
        guard hasTLS || hasUpstreamTLS else { return plain }
        let sides: (listen: Substring, upstream: Substring)
        if let equals = plain.firstIndex(of: "=") {
            sides = (plain[..<equals], plain[equals...].dropFirst())
        } else {
            guard let parts = try? ForwardSpec.parts(of: plain), parts.count > 2 else { return nil }
            sides = (
                parts.dropLast(2).joined(separator: ":")[...], parts.suffix(2).joined(separator: ":")[...]
            )
        }
        return (hasTLS ? word : "") + sides.listen + "=" + (hasUpstreamTLS ? word : "") + sides.upstream
    }

    /// Why an upstream cannot be reached by TLS; nil if it can.
    func obstacle(_ upstream: UpstreamAddress) -> String? {
        switch upstream {
        case .originalDestination, .requested: "TLS needs one upstream; write its name, such as tls:api.example.com:443"
        case .address(let address) where address.isUnix:
            "a Unix socket has no name that a certificate could have; write a host name, such as tls:api.example.com:443"
        case .name, .address, .linkLocal: nil
        }
    }
}
