internal import COpenSSL

/// What a handshake has settled: valid once it is complete.
extension TLSSession {
    /// The version and the cipher suite: `TLSv1.3 TLS_AES_128_GCM_SHA256`.
    public var parameters: String { "\(version) \(cipher)" }

    /// The version, such as `TLSv1.3`.
    public var version: String { String(cString: SSL_get_version(ssl)) }

    /// The cipher suite; `-` before there is one.
    public var cipher: String {
        SSL_get_current_cipher(ssl).flatMap { SSL_CIPHER_get_name($0) }.map { String(cString: $0) } ?? "-"
    }

    /// The name that the client has sent, printable; nil without one.
    public var serverName: String? {
        SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name).map { OpenSSL.plain(Array(String(cString: $0).utf8)) }
    }

    /// The application protocol that was chosen, printable; nil without one.
    public var application: String? {
        var bytes: UnsafePointer<UInt8>?
        var count: CUnsignedInt = 0
        SSL_get0_alpn_selected(ssl, &bytes, &count)
        return count == 0 ? nil : OpenSSL.plain(Array(UnsafeBufferPointer(start: bytes, count: Int(count))))
    }

    /// Whether an earlier session was resumed.
    public var isResumed: Bool { SSL_session_reused(ssl) == 1 }

    /// The peer's certificate; nil without one.
    public var peerCertificate: TLSCertificate? {
        guard let certificate = SSL_get0_peer_certificate(ssl) else { return nil }
        return TLSCertificate(certificate)
    }

    /// The own certificate that the peer was shown, or would be; nil without one.
    public var ownCertificate: TLSCertificate? { SSL_get_certificate(ssl).map { TLSCertificate($0) } }

    /// The subject of the certificate that a client was sent although it does not have the client's server name, because none
    /// has; nil if one has it, without a name, and for a resumed session.
    public var substitute: String? {
        guard let server, let name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name), !isResumed,
            !server.hasCertificate(for: String(cString: name)), let sent = SSL_get_certificate(ssl)
        else { return nil }
        let certificate = TLSCertificate(sent)
        return certificate.subject.isEmpty ? certificate.identity : certificate.subject
    }
}
