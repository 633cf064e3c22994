internal import COpenSSL

/// A certificate with its chain and its private key, checked to belong together. Immutable; any thread.
///
/// OpenSSL's objects are counted references, and nothing changes them after `init`, so threads may share them: the proof of
/// `@unchecked`.
public final class TLSCredential: @unchecked Sendable {
    /// The certificate's facts.
    public let certificate: TLSCertificate
    /// The SHA-256 of both files' content, so that a renewed certificate differs.
    public let digest: [UInt8]
    let leaf: OpaquePointer
    let chain: [OpaquePointer]
    let key: OpaquePointer

    /// Reads PEM: a certificate and its intermediate ones, in this order, and a private key without a password.
    public init(chain chainText: [UInt8], key keyText: [UInt8]) throws(TLSCredentialError) {
        guard OpenSSL.isReady else { throw .library }
        var certificates = try PEM.certificates(in: chainText)
        guard !certificates.isEmpty else { throw Self.absence(chainText, keyText) }
        leaf = certificates.removeFirst()
        chain = certificates
        do throws(TLSCredentialError) {
            key = try PEM.privateKey(in: keyText)
        } catch {
            for certificate in [leaf] + chain { X509_free(certificate) }
            throw error
        }
        certificate = TLSCertificate(leaf)
        digest = (chainText + keyText).withUnsafeBytes { Digest.sha256($0) }
        // From here on `deinit` frees them, also when this throws.
        guard X509_check_private_key(leaf, key) == 1 else {
            ERR_clear_error()
            let own = chain.firstIndex { X509_check_private_key($0, key) == 1 }
            ERR_clear_error()
            guard let own else { throw .keyDoesNotMatch(certificate.title) }
            throw .wrongOrder(
                first: certificate.title, isAuthority: X509_check_ca(leaf) == 1, position: own + 2,
                own: TLSCertificate(chain[own]).title)
        }
        let bits = EVP_PKEY_get_bits(key)
        if keyType == EVP_PKEY_RSA, bits < 2048 { throw .weakKey(bits: Int(bits)) }
    }

    /// What the file of the certificate has instead of one.
    private static func absence(_ chain: [UInt8], _ key: [UInt8]) -> TLSCredentialError {
        if let form = BinaryForm(of: chain) { return .binary(form) }
        guard let key = try? PEM.certificates(in: key), !key.isEmpty else { return .noCertificate }
        for certificate in key { X509_free(certificate) }
        guard let own = try? PEM.privateKey(in: chain) else { return .noCertificate }
        EVP_PKEY_free(own)
        return .exchanged
    }

    deinit {
        for certificate in [leaf] + chain { X509_free(certificate) }
        EVP_PKEY_free(key)
    }

    /// Throws if the certificate is not valid at a time, in seconds since 1970 UTC.
    public func check(at now: Int64) throws(TLSCredentialError) {
        if now > certificate.notAfter { throw .expired(since: TLSCertificate.date(certificate.notAfter)) }
        if now < certificate.notBefore { throw .notYetValid(before: TLSCertificate.date(certificate.notBefore)) }
    }

    /// When the first certificate of the chain expires, seconds since 1970 UTC.
    public var expiry: Int64 { ([leaf] + chain).map(TLSCertificate.end).min() ?? .max }

    /// The key's type: a context has one certificate of each.
    var keyType: CInt { EVP_PKEY_get_base_id(key) }
}

/// Why a certificate or its key cannot be used. A value; any thread.
public enum TLSCredentialError: Error, Hashable, Sendable, CustomStringConvertible {
    /// OpenSSL could not be set up.
    case library
    /// The file has no certificate in PEM form.
    case noCertificate
    /// The file has no revocation list in PEM form.
    case noRevocationList
    /// A revocation list is malformed: OpenSSL's words.
    case malformedRevocationList(String)
    /// A certificate is malformed: OpenSSL's words.
    case malformedCertificate(String)
    /// The file has no private key in PEM form.
    case noKey
    /// The key has a password.
    case encryptedKey
    /// The file is not PEM.
    case binary(BinaryForm)
    /// The key's file is not PEM.
    case binaryKey(BinaryForm)
    /// The file has the key, and the key's file has the certificate.
    case exchanged
    /// The key belongs to another certificate than this one.
    case keyDoesNotMatch(String)
    /// The key belongs to another certificate of the file than to the first one.
    case wrongOrder(first: String, isAuthority: Bool, position: Int, own: String)
    /// An RSA key has this number of bits.
    case weakKey(bits: Int)
    /// The file of authorities has a certificate that is none, by an issuer.
    case authorityMissing(TLSCertificate)
    /// The file of authorities has no root: an intermediate one, and its issuer.
    case rootMissing(String, issuer: String)
    /// The file of revocation lists has none of these authorities, but of others.
    case listsMissing([String], others: [String])
    /// The certificate's end, as a date.
    case expired(since: String)
    /// The certificate's beginning, as a date.
    case notYetValid(before: String)
    /// The certificate must not issue others.
    case notAnAuthority
    /// OpenSSL refuses it, e.g. because its key is too weak: OpenSSL's words.
    case refused(String)

    /// A clause without a subject: `has no certificate in PEM form`.
    public var description: String {
        switch self {
        case .library: "cannot be read: OpenSSL could not be set up"
        case .noCertificate: "has no certificate in PEM form"
        case .noRevocationList: "has no revocation list in PEM form"
        case .malformedRevocationList(let reason): "has a malformed revocation list: \(reason)"
        case .malformedCertificate(let reason): "has a malformed certificate: \(reason)"
        case .noKey: "has no private key in PEM form"
        case .encryptedKey: "has a private key with a password; store it without one, readable only by Tapline's user"
        case .binary(let form), .binaryKey(let form): form.words(of: "FILE")
        case .exchanged: "has a private key and no certificate: `chain` and `key` are exchanged"
        case .keyDoesNotMatch(let title): "does not match the certificate of \(title): it belongs to another one"
        case .wrongOrder(let first, let isAuthority, let position, let own):
            "begins with the certificate of \(first)\(isAuthority ? ", an authority" : ""); the key belongs to certificate "
                + "\(position) (\(own)): put it first"
        case .weakKey(let bits): "has an RSA key of \(bits) bits; at least 2048 is needed"
        case .authorityMissing(let certificate):
            "is not an authority but the certificate of \(certificate.title), issued by \(certificate.issuer): write the "
                + "file of that authority"
        case .rootMissing(let name, let issuer):
            "has no root: the authority \(name) was issued by \(issuer), whose certificate is missing; append it"
        case .listsMissing(let missing, let others):
            "has no list of \(missing.joined(separator: " and of ")), whose every certificate would be refused; it has a list "
                + "of \(others.joined(separator: " and of "))"
        case .expired(let date): "has a certificate that expired at \(date)"
        case .notYetValid(let date): "has a certificate that is not valid before \(date)"
        case .notAnAuthority: "has a certificate that may not issue others"
        case .refused(let reason): "is refused by OpenSSL: \(reason)"
        }
    }

    /// Whether the key's file is at fault, and not the certificate's.
    public var isOfKey: Bool {
        switch self {
        case .noKey, .encryptedKey, .keyDoesNotMatch, .binaryKey: true
        default: false
        }
    }

    /// The clause for a file, whose path commands in it have.
    public func description(of path: String) -> String {
        switch self {
        case .binary(let form), .binaryKey(let form): form.words(of: path)
        default: description
        }
    }

    /// Whether the file of revocation lists is at fault.
    public var isOfRevocationList: Bool {
        switch self {
        case .noRevocationList, .malformedRevocationList, .listsMissing: true
        default: false
        }
    }
}

/// Reads PEM. What a function returns belongs to the caller.
enum PEM {
    /// All certificates of a text, in order.
    static func certificates(in text: [UInt8]) throws(TLSCredentialError) -> [OpaquePointer] {
        var certificates: [OpaquePointer] = []
        let error = withBIO(text) { bio -> OpenSSLError? in
            while let certificate = PEM_read_bio_X509(bio, nil, nil, nil) { certificates.append(certificate) }
            return OpenSSL.takeError()
        }
        // The end of the text is reported as a missing start line.
        if let error, error.reason != PEM_R_NO_START_LINE {
            for certificate in certificates { X509_free(certificate) }
            throw .malformedCertificate("\(error)")
        }
        return certificates
    }

    static func revocationLists(in text: [UInt8]) throws(TLSCredentialError) -> [OpaquePointer] {
        var lists: [OpaquePointer] = []
        let error = withBIO(text) { bio -> OpenSSLError? in
            while let list = PEM_read_bio_X509_CRL(bio, nil, nil, nil) { lists.append(list) }
            return OpenSSL.takeError()
        }
        if let error, error.reason != PEM_R_NO_START_LINE {
            for list in lists { X509_CRL_free(list) }
            throw .malformedRevocationList("\(error)")
        }
        return lists
    }

    /// What a function of OpenSSL's writes, such as `PEM_write_bio_X509`; it returns 1.
    static func text(_ write: (OpaquePointer) -> CInt) throws(TLSCredentialError) -> [UInt8] {
        guard let bio = BIO_new(BIO_s_mem()) else { throw .library }
        defer { BIO_free(bio) }
        var bytes = [UInt8](repeating: 0, count: 16 << 10)
        guard write(bio) == 1 else { throw .library }
        let count = BIO_read(bio, &bytes, CInt(bytes.count))
        guard count > 0 else { throw .library }
        return Array(bytes.prefix(Int(count)))
    }

    static func privateKey(in text: [UInt8]) throws(TLSCredentialError) -> OpaquePointer {
        var isEncrypted = false
        let key = withBIO(text) { bio in
            withUnsafeMutablePointer(to: &isEncrypted) { flag in
                // Without this function OpenSSL would ask for the password on the terminal.
                PEM_read_bio_PrivateKey(
                    bio, nil,
                    { _, _, _, flag in
                        flag?.assumingMemoryBound(to: Bool.self).pointee = true
                        return -1
                    }, flag)
            }
        }
        ERR_clear_error()
        guard let key else {
            throw isEncrypted ? .encryptedKey : BinaryForm(of: text).map { .binaryKey($0) } ?? .noKey
        }
        return key
    }

    private static func withBIO<Result>(_ text: [UInt8], _ body: (OpaquePointer?) -> Result) -> Result {
        ERR_clear_error()
        return text.withUnsafeBytes { bytes in
            let bio = BIO_new_mem_buf(bytes.baseAddress, CInt(clamping: bytes.count))
            defer { BIO_free(bio) }
            return body(bio)
        }
    }
}
