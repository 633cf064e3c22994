/// When a file of `tls` or `upstream_tls` can no longer be used. A value; any thread.
public struct TLSExpiry: Hashable, Sendable {
    /// What the file contains.
    public enum Kind: String, CaseIterable, Hashable, Sendable {
        /// A certificate and its chain.
        case certificate
        /// Certificate authorities.
        case authority
        /// Revocation lists: after this moment every client is refused.
        case revocationList = "crl"
    }

    /// The file, an absolute path.
    public let file: String
    /// What it contains.
    public let kind: Kind
    /// The moment, seconds since 1970 UTC.
    public let seconds: Int64

    /// An expiry.
    public init(file: String, kind: Kind, seconds: Int64) {
        self.file = file
        self.kind = kind
        self.seconds = seconds
    }
}

extension RelaySettings {
    /// The expiries of its files, each file once. The system's authorities are the distribution's care.
    public var expiries: [TLSExpiry] {
        var seen: Set<String> = []
        return ((tls?.loaded?.expiries ?? []) + (upstreamTLS?.loaded?.expiries ?? []))
            .filter { seen.insert($0.file).inserted }
    }
}
