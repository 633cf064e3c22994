internal import COpenSSL

/// How a context checks its peers' certificates. Immutable; any thread. Contexts hand it to OpenSSL and keep it.
final class TLSVerification: Sendable {
    enum Mode: Hashable, Sendable {
        /// The chain leads to an authority; a client checks the name, too, if it was set.
        case chain
        /// Only the pins count.
        case pins
        /// Everything is accepted.
        case off
    }

    let mode: Mode
    let allowed: TLSAllowList
    /// The public keys of which the peer must have one; empty: any.
    let pins: [String]

    init(mode: Mode, allowed: TLSAllowList = TLSAllowList(), pins: [String] = []) {
        self.mode = mode
        self.allowed = allowed
        self.pins = pins
    }

    /// Replaces OpenSSL's verification in a context. The context's owner keeps this object.
    func install(in context: OpaquePointer) {
        SSL_CTX_set_cert_verify_callback(
            context, { TLSVerification.verify($0, $1) }, Unmanaged.passUnretained(self).toOpaque())
    }

    private static func verify(_ store: OpaquePointer?, _ argument: UnsafeMutableRawPointer?) -> CInt {
        guard let store, let argument else { return 0 }
        return Unmanaged<TLSVerification>.fromOpaque(argument)._withUnsafeGuaranteedRef { $0.verify(store) ? 1 : 0 }
    }

    private func verify(_ store: OpaquePointer) -> Bool {
        let leaf = X509_STORE_CTX_get0_cert(store).map { TLSCertificate($0) }
        if let problem = problem(store, leaf) {
            if let ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()) {
                TLSSession.session(of: OpaquePointer(ssl))?.refused(problem)
            }
            return false
        }
        return true
    }

    private func problem(_ store: OpaquePointer, _ leaf: TLSCertificate?) -> CertificateProblem? {
        // An authority's own certificate counts as good where there is no revocation list of its issuer.
        X509_STORE_CTX_set_verify_cb(store) { isGood, store in
            guard isGood == 0, let store, X509_STORE_CTX_get_error(store) == X509_V_ERR_UNABLE_TO_GET_CRL,
                X509_STORE_CTX_get_error_depth(store) > 0
            else { return isGood }
            return 1
        }
        if mode == .chain, X509_verify_cert(store) != 1 { return chainProblem(store, leaf) }
        X509_STORE_CTX_set_error(store, X509_V_OK)
        guard mode != .off else { return nil }
        let pin = leaf?.pin ?? ""
        if !pins.isEmpty, !pins.contains(pin) {
            X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED)
            return CertificateProblem(
                reason: "its public key \(pin) is not pinned", presented: leaf,
                required: "one of \(pins.joined(separator: ", "))")
        }
        if !allowed.isEmpty, leaf.flatMap(allowed.match) == nil {
            X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED)
            return CertificateProblem(reason: "none of its names is allowed", presented: leaf, required: "\(allowed)")
        }
        return nil
    }

    private func chainProblem(_ store: OpaquePointer, _ leaf: TLSCertificate?) -> CertificateProblem {
        let error = X509_STORE_CTX_get_error(store)
        let depth = Int(X509_STORE_CTX_get_error_depth(store))
        let atFault = X509_STORE_CTX_get_current_cert(store).map { TLSCertificate($0) } ?? leaf
        let since: String? =
            switch error {
            case X509_V_ERR_CERT_HAS_EXPIRED: atFault.map { TLSCertificate.date($0.notAfter) }
            default: nil
            }
        var reason = String(cString: X509_verify_cert_error_string(Int(error)))
        let authority = depth > 0 ? atFault?.title : nil
        if let authority, error == X509_V_ERR_CERT_HAS_EXPIRED { reason = "the authority \(authority) has expired" }
        let ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()).map { OpaquePointer($0) }
        let required: String? =
            switch error {
            case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
                ssl.flatMap { TLSSession.session(of: $0)?.requiredName }
            case X509_V_ERR_CERT_NOT_YET_VALID:
                atFault.map { "a time from \(TLSCertificate.date($0.notBefore)) on" }
            case X509_V_ERR_INVALID_PURPOSE:
                ssl.map { "the key usage \(SSL_is_server($0) == 1 ? "clientAuth" : "serverAuth")" }
            case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
                Self.missingIssuer(leaf, in: store, ssl) ?? Self.required(error)
            default: Self.required(error)
            }
        return CertificateProblem(
            reason: reason, presented: leaf, depth: max(0, depth), authority: authority, required: required,
            since: since, kind: Self.kind(error, atFault, required))
    }

    /// Where the peer has sent only its own certificate: its issuer may be an intermediate authority that the peer must
    /// send, or an unknown one.
    private static func missingIssuer(
        _ leaf: TLSCertificate?, in store: OpaquePointer, _ ssl: OpaquePointer?
    ) -> String? {
        guard let leaf, leaf.subject != leaf.issuer, let ssl, let sent = X509_STORE_CTX_get0_untrusted(store),
            OPENSSL_sk_num(sent) == 1
        else { return nil }
        let peer = SSL_is_server(ssl) == 1 ? "client" : "upstream"
        return "the certificate of its issuer \(leaf.issuer): the \(peer) sent 1 certificate, and must send that one, "
            + "too, unless you add it to `ca`"
    }

    private static func kind(
        _ error: CInt, _ atFault: TLSCertificate?, _ required: String?
    ) -> CertificateProblem.Kind {
        switch error {
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
            atFault.map { .untrusted(issuer: $0.issuer) } ?? .other
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: .untrusted(issuer: nil)
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH: required.map { .name($0) } ?? .other
        default: .other
        }
    }

    /// What an error of OpenSSL requires, where its text does not say it.
    private static func required(_ error: CInt) -> String? {
        switch error {
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
            X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
            "a chain to an authority that Tapline trusts (`ca`)"
        case X509_V_ERR_EE_KEY_TOO_SMALL, X509_V_ERR_CA_KEY_TOO_SMALL: "a key of RSA 2048 or P-256 at least"
        case X509_V_ERR_CA_MD_TOO_WEAK: "a signature with SHA-256 or better"
        case X509_V_ERR_UNABLE_TO_GET_CRL: "a revocation list of its authority (`crl`)"
        case X509_V_ERR_CRL_HAS_EXPIRED: "a revocation list that has not expired (`crl`)"
        default: nil
        }
    }
}
