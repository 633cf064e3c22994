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

    /// The place of the file's name in the configuration, `path:line:column`; nil if it was an option.
    public var place: String?

    /// An expiry.
    public init(file: String, kind: Kind, seconds: Int64, place: String? = nil) {
        self.file = file
        self.kind = kind
        self.seconds = seconds
        self.place = place
    }
}

/// What peers may refuse in a certificate that can be used. A value; any thread.
public struct TLSRemark: Hashable, Sendable {
    /// The file, an absolute path.
    public let file: String
    /// A clause whose subject is the file.
    public let text: String
    /// The place of the file's name in the configuration, `path:line:column`; nil if it was an option.
    public let place: String?
}

extension RelaySettings {
    /// The expiries of its files, each file once. The system's authorities are the distribution's care.
    public var expiries: [TLSExpiry] {
        var seen: Set<String> = []
        return ((tls?.loaded?.expiries ?? []) + (upstreamTLS?.loaded?.expiries ?? []))
            .filter { seen.insert($0.file).inserted }
    }

    /// What happens when each of its files has expired, a clause: the same files in the same order as `expiries`.
    var expiriesWithEffects: [(expiry: TLSExpiry, effect: String)] {
        let ofClients = Set((tls?.loaded?.expiries ?? []).map(\.file))
        return expiries.map { expiry in
            let isOfClients = ofClients.contains(expiry.file)
            return switch expiry.kind {
            case .certificate where isOfClients: (expiry, "clients refuse the relay's certificate")
            case .certificate: (expiry, "the upstream refuses the relay's certificate")
            // Of `forward --tls-cert auto`.
            case .authority where tls?.authority != nil && isOfClients: (expiry, "clients refuse its certificates")
            case .authority where isOfClients: (expiry, "every client certificate is refused")
            case .authority: (expiry, "the upstream's certificate is refused")
            case .revocationList: (expiry, "every client certificate is refused")
            }
        }
    }
}
