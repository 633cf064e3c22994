internal import COpenSSL

extension TLSSession {
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
