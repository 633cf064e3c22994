internal import COpenSSL
internal import Glibc
internal import Text

/// The certificate authorities that a peer's certificate may come from, and what they have revoked. Immutable; any thread:
/// OpenSSL locks its stores, and nothing is added after `init`.
public final class TLSTrust: @unchecked Sendable {
    /// The SHA-256 of what it was made from, so that a changed file differs.
    public let digest: [UInt8]
    let store: OpaquePointer
    /// When the authorities can no longer be used, seconds since 1970 UTC: the first end of those that are valid now. An
    /// expired authority together with its successor is normal; if all have expired, it is the last end.
    public let expiry: Int64
    /// When the first revocation list must have a successor, seconds since 1970 UTC: after that, every certificate is
    /// refused. Nil without a list.
    public let revocationExpiry: Int64?
    /// The names of the authorities, which a server sends with its request for a certificate.
    let authorities: [OpaquePointer]

    /// The authorities in a PEM file, and its revocation lists; a revoked certificate is refused if there is any list.
    public init(authorities text: [UInt8], revoked lists: [UInt8]? = nil) throws(TLSCredentialError) {
        guard OpenSSL.isReady, let store = X509_STORE_new() else { throw .library }
        self.store = store
        let certificates: [OpaquePointer]
        do throws(TLSCredentialError) {
            certificates = try PEM.certificates(in: text)
            guard !certificates.isEmpty else { throw .noCertificate }
        } catch {
            authorities = []
            digest = []
            expiry = 0
            revocationExpiry = nil
            throw error
        }
        authorities = certificates
        digest = (text + (lists ?? [])).withUnsafeBytes { Digest.sha256($0) }
        for certificate in certificates { X509_STORE_add_cert(store, certificate) }
        let ends = certificates.map(TLSCertificate.end).sorted()
        expiry = ends.first { $0 > WallClock.now / 1_000_000_000 } ?? ends.last ?? 0
        guard let lists else {
            revocationExpiry = nil
            return
        }
        let revoked: [OpaquePointer]
        do throws(TLSCredentialError) {
            revoked = try PEM.revocationLists(in: lists)
            guard !revoked.isEmpty else { throw .noRevocationList }
        } catch {
            revocationExpiry = nil
            throw error
        }
        // A list need not have a successor.
        revocationExpiry = revoked.compactMap { X509_CRL_get0_nextUpdate($0).map(TLSCertificate.seconds) }.min()
        for list in revoked {
            X509_STORE_add_crl(store, list)
            X509_CRL_free(list)
        }
        X509_STORE_set_flags(store, UInt(X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL))
    }

    deinit {
        for certificate in authorities { X509_free(certificate) }
        X509_STORE_free(store)
    }

    /// The SHA-256 of bytes.
    public static func digest(_ bytes: [UInt8]) -> [UInt8] { bytes.withUnsafeBytes { Digest.sha256($0) } }

    /// The system's bundle of authorities: `SSL_CERT_FILE`, or the first of the places where distributions have it. The
    /// binary may run on another distribution than the one whose OpenSSL it contains.
    public static var systemFile: String? {
        if let file = getenv("SSL_CERT_FILE") { return String(cString: file) }
        return [
            "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
            "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
        ].first { access($0, R_OK) == 0 }
    }
}
