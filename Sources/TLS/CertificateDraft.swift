internal import COpenSSL

/// What a new certificate contains.
struct CertificateDraft {
    /// The parts of its name, such as `O` and `CN`.
    var subject: [(field: String, text: String)]
    /// When it is valid, seconds since 1970 UTC.
    var lifetime: ClosedRange<Int64>
    /// Its extensions, in OpenSSL's notation.
    var extensions: [(number: CInt, value: String)]

    /// Signs it: by an issuer, or by itself without one. The certificate belongs to the caller; nil if the library has
    /// failed, whose error queue then has the reason.
    func sign(
        for key: OpaquePointer, by issuer: (certificate: OpaquePointer, key: OpaquePointer)? = nil
    ) -> OpaquePointer? {
        ERR_clear_error()
        guard let certificate = X509_new() else { return nil }
        let isSigned =
            X509_set_version(certificate, 2) == 1 && setSerialNumber(of: certificate) && setSubject(of: certificate)
            && X509_set_issuer_name(certificate, X509_get_subject_name(issuer?.certificate ?? certificate)) == 1
            && ASN1_TIME_set(X509_getm_notBefore(certificate), time_t(lifetime.lowerBound)) != nil
            && ASN1_TIME_set(X509_getm_notAfter(certificate), time_t(lifetime.upperBound)) != nil
            && X509_set_pubkey(certificate, key) == 1
            && addExtensions(to: certificate, issuer: issuer?.certificate ?? certificate)
            && X509_sign(certificate, issuer?.key ?? key, EVP_sha256()) > 0
        guard isSigned else {
            X509_free(certificate)
            return nil
        }
        return certificate
    }

    /// 126 random bits in 16 bytes: positive, and unique though the authority keeps no list (RFC 5280, section
    /// 4.1.2.2).
    private func setSerialNumber(of certificate: OpaquePointer) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 16)
        guard RAND_bytes(&bytes, CInt(bytes.count)) == 1 else { return false }
        bytes[0] = bytes[0] & 0x3F | 0x40
        guard let number = BN_bin2bn(bytes, CInt(bytes.count), nil) else { return false }
        defer { BN_free(number) }
        return BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nil
    }

    private func setSubject(of certificate: OpaquePointer) -> Bool {
        let name = X509_get_subject_name(certificate)
        return subject.allSatisfy { part in
            X509_NAME_add_entry_by_txt(name, part.field, MBSTRING_UTF8, part.text, -1, -1, 0) == 1
        }
    }

    private func addExtensions(to certificate: OpaquePointer, issuer: OpaquePointer) -> Bool {
        var context = X509V3_CTX()
        X509V3_set_ctx(&context, issuer, certificate, nil, nil, 0)
        return extensions.allSatisfy { part in
            guard let made = X509V3_EXT_conf_nid(nil, &context, part.number, part.value) else { return false }
            defer { X509_EXTENSION_free(made) }
            return X509_add_ext(certificate, made, -1) == 1
        }
    }
}
