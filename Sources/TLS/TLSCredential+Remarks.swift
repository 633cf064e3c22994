internal import COpenSSL

extension TLSCredential {
    /// Who presents it.
    public enum Owner: Hashable, Sendable {
        /// A server, to its clients.
        case server
        /// A client, to its server.
        case client
    }

    /// What peers may refuse, although the certificate and its key belong together: clauses whose subject is the file.
    /// `isKnown` returns whether peers have the root with a name; it is only called where the file has no issuer.
    public func remarks(as owner: Owner, isKnown: (Issuer) -> Bool) -> [String] {
        let peers = owner == .server ? "clients" : "the upstream"
        var remarks: [String] = []
        if let usage = Self.usage(of: leaf), usage & Self.purpose(owner) == 0 {
            remarks.append(
                owner == .server
                    ? "is not for servers: its extended key usage has no serverAuth, so that clients refuse it"
                    : "is not for clients: its extended key usage has no clientAuth, so that the upstream refuses it")
        }
        if X509_check_ca(leaf) == 1 {
            remarks.append(
                "is the certificate of an authority (CA:TRUE), which some programs refuse as that of a \(owner); issue "
                    + "another one for the \(owner)")
        }
        let all = [leaf] + chain
        for (index, certificate) in all.enumerated().dropFirst()
        where !all.contains(where: { $0 != certificate && Self.issued(certificate, $0) }) {
            let title = TLSCertificate(certificate).title
            remarks.append("has an unrelated certificate: certificate \(index + 1) (\(title)) has issued no other one")
        }
        if let issuer = missingIssuer, !isKnown(issuer) {
            remarks.append(
                "has no certificate of the issuer \(issuer.name): \(peers) \(owner == .server ? "refuse" : "refuses") the "
                    + "connection without it; append it, unless it is a root that \(owner == .server ? "they have" : "it has")"
            )
        }
        return remarks
    }

    /// The issuer of a chain's last certificate, which the file does not have.
    public struct Issuer {
        /// Its distinguished name.
        public let name: String
        let issued: OpaquePointer
    }

    /// The issuer that the file does not have; nil if the chain ends with a root.
    private var missingIssuer: Issuer? {
        var last = leaf
        var rest = chain
        while !last.isSelfIssued {
            guard let next = rest.firstIndex(where: { Self.issued($0, last) }) else {
                return Issuer(name: TLSCertificate(last).issuer, issued: last)
            }
            last = rest.remove(at: next)
        }
        return nil
    }

    static func issued(_ issuer: OpaquePointer, _ certificate: OpaquePointer) -> Bool {
        X509_check_issued(issuer, certificate) == X509_V_OK
    }

    /// The extended key usage; nil without one, which allows every use.
    private static func usage(of certificate: OpaquePointer) -> UInt32? {
        let usage = X509_get_extended_key_usage(certificate)
        return usage == UInt32.max ? nil : usage
    }

    private static func purpose(_ owner: Owner) -> UInt32 {
        UInt32(XKU_ANYEKU | (owner == .server ? XKU_SSL_SERVER | XKU_SGC : XKU_SSL_CLIENT))
    }
}

extension TLSTrust {
    /// Whether it has the root that has issued a certificate.
    public func isRoot(_ issuer: TLSCredential.Issuer) -> Bool {
        authorities.contains { $0.isSelfIssued && TLSCredential.issued($0, issuer.issued) }
    }
}

extension OpaquePointer {
    /// Whether an X509's issuer is its subject.
    var isSelfIssued: Bool { X509_NAME_cmp(X509_get_subject_name(self), X509_get_issuer_name(self)) == 0 }
}

extension TLSCertificate {
    /// The subject for a message, or another name where the subject is empty.
    var title: String { subject.isEmpty ? identity : subject }
}
