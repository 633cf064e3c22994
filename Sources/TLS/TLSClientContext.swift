internal import COpenSSL
internal import Text

/// What a relay needs to speak TLS with its upstream. Immutable but for its cache of sessions, which is locked; any thread.
public final class TLSClientContext: Sendable {
    /// What is verified.
    public enum Verification: String, CaseIterable, Hashable, Sendable {
        /// The chain and the name.
        case full
        /// The chain; any name.
        case chain
        /// The public key only: it is one of the pins.
        case pin
        /// Nothing.
        case off
    }

    private let context: TLSContext
    private let verification: TLSVerification
    private let verify: Verification
    let cache = TLSSessionCache()
    #if DEBUG
        let sessions = SessionCount()
        /// How many of its sessions exist; for tests.
        package var openSessions: Int { sessions.value }
    #endif

    /// A context. `trust` may be nil if chains are not verified.
    public init(
        verify: Verification, trust: TLSTrust?, pins: [String] = [], credential: TLSCredential? = nil,
        minimum: TLSVersion = .tls12, applications: [String] = []
    ) throws(TLSCredentialError) {
        let mode: TLSVerification.Mode =
            switch verify {
            case .full, .chain: .chain
            case .pin: .pins
            case .off: .off
            }
        precondition(mode != .chain || trust != nil, "TLSClientContext: chains are verified without authorities")
        self.verify = verify
        verification = TLSVerification(mode: mode, pins: pins)
        let made = try TLSContext(isServer: false, minimum: minimum)
        context = made
        if let credential { try made.use(credential) }
        let context = made.pointer
        SSL_CTX_set_verify(context, verify == .off ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nil)
        verification.install(in: context)
        if let trust { tapline_ctx_set_trust(context, trust.store) }
        let encoded = TLSContext.encode(applications: applications)
        if !encoded.isEmpty { SSL_CTX_set_alpn_protos(context, encoded, CUnsignedInt(encoded.count)) }
        tapline_ctx_set_cache_mode(context, CLong(SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL))
        SSL_CTX_sess_set_new_cb(context) { ssl, session in
            guard let ssl, let session else { return 0 }
            return TLSSession.session(of: ssl)?.keep(session) == true ? 1 : 0
        }
    }

    deinit {
        context.free()
    }

    /// A session has an observer.
    func exportKeys() { context.exportKeys() }

    /// Whether OpenSSL writes keys for sessions; for tests.
    var exportsKeys: Bool { context.exportsKeys }

    /// A session to a peer: the server name that it is sent, and that its certificate must have. An address is not sent
    /// (RFC 6066, section 3). Nil without memory, and where the name cannot be checked although it must be.
    func makeSession(to name: String, isAddress: Bool) -> OpaquePointer? {
        guard let ssl = SSL_new(context.pointer) else { return nil }
        if !isAddress { _ = tapline_ssl_set_host_name(ssl, name) }
        guard verify != .full || require(name, isAddress, in: ssl) else {
            SSL_free(ssl)
            return nil
        }
        return ssl
    }

    /// An empty name would check nothing, and so would one that OpenSSL refuses.
    private func require(_ name: String, _ isAddress: Bool, in ssl: OpaquePointer) -> Bool {
        guard !name.isEmpty else { return false }
        if isAddress { return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1 }
        SSL_set_hostflags(ssl, CUnsignedInt(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        return SSL_set1_host(ssl, name) == 1
    }

    /// A session that can be resumed, with a reference for the caller; nil without one. The server's certificate is not
    /// checked again then, so one that has expired since ends its sessions.
    func resumable(with peer: String) -> OpaquePointer? {
        guard let session = cache.take(for: peer) else { return nil }
        guard verification.mode == .chain, let certificate = SSL_SESSION_get0_peer(session),
            TLSCertificate.end(of: certificate) <= WallClock.now / 1_000_000_000
        else { return session }
        SSL_SESSION_free(session)
        return nil
    }
}
