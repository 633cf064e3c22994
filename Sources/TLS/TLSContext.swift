internal import COpenSSL

/// The oldest version of TLS that is accepted.
public enum TLSVersion: String, CaseIterable, Hashable, Sendable {
    /// TLS 1.2.
    case tls12 = "1.2"
    /// TLS 1.3.
    case tls13 = "1.3"
}

/// What server and client contexts have in common. An `SSL_CTX` is set up once, before any session uses it, and OpenSSL
/// locks what sessions change in it; so it may be shared by threads.
struct TLSContext: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Once a session is established, the socket is read for several records, although one at a time is decrypted. A
    /// handshake has OpenSSL's buffer for one record: a thousand half-open ones must not hold 64 KiB each.
    static let readAhead = 64 << 10
    /// With forward secrecy and authenticated encryption; AES-128 first, because it is the fastest where the CPU has
    /// it.
    private static let ciphers = """
        ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:\
        ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:@SECLEVEL=2
        """
    private static let suites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

    init(isServer: Bool, minimum: TLSVersion) throws(TLSCredentialError) {
        guard OpenSSL.isReady, let context = SSL_CTX_new(isServer ? TLS_server_method() : TLS_client_method()) else {
            throw .library
        }
        pointer = context
        let isSet =
            tapline_ctx_set_minimum(context, minimum == .tls13 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1
            && SSL_CTX_set_cipher_list(context, Self.ciphers) == 1
            && SSL_CTX_set_ciphersuites(context, Self.suites) == 1
            && tapline_ctx_set_groups(context, "X25519:P-256:P-384") == 1
        guard isSet else {
            SSL_CTX_free(context)
            throw .library
        }
        // A client without AES in its CPU puts ChaCha20 first, and is served with it.
        SSL_CTX_set_options(
            context,
            tapline_op_no_renegotiation | tapline_op_no_compression | tapline_op_server_preference
                | tapline_op_prioritize_chacha)
        // Idle sessions hold no buffers, and a write that is repeated may come from another buffer.
        tapline_ctx_set_mode(
            context,
            CLong(SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS))
        tapline_ctx_set_read_ahead(context, 1)
        SSL_CTX_set_info_callback(context) { TLSSession.note($0, $1, $2) }
    }

    /// Passes the keys of sessions to their observers, from the next handshake on. With a callback, OpenSSL writes
    /// every key as text, for sessions without an observer too, so a context gets it with the first observer, and keeps
    /// it.
    ///
    /// Handshakes on other threads may read the pointer meanwhile. It is one aligned word that changes once, from null
    /// to this function, so OpenSSL finds either no callback or this one.
    func exportKeys() {
        guard !exportsKeys else { return }
        SSL_CTX_set_keylog_callback(pointer) { TLSSession.noteKeys($0, $1) }
    }

    var exportsKeys: Bool { SSL_CTX_get_keylog_callback(pointer) != nil }

    func free() {
        SSL_CTX_free(pointer)
    }

    /// Adds a certificate with its chain and key.
    func use(_ credential: TLSCredential) throws(TLSCredentialError) {
        ERR_clear_error()
        let isSet =
            SSL_CTX_use_certificate(pointer, credential.leaf) == 1
            && SSL_CTX_use_PrivateKey(pointer, credential.key) == 1
            && credential.chain.allSatisfy { tapline_ctx_add_chain(pointer, $0) == 1 }
        if !isSet { throw .refused(OpenSSL.takeError().map { "\($0)" } ?? "no reason given") }
    }

    /// The wire form of application protocols (RFC 7301): each with its length before it.
    static func encode(applications: [String]) -> [UInt8] {
        applications.flatMap { [UInt8(clamping: $0.utf8.count)] + Array($0.utf8.prefix(255)) }
    }
}
