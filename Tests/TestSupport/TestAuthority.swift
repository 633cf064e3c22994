internal import COpenSSL
internal import Glibc

/// A certificate authority of one test, which issues certificates of any kind, also such as must be refused.
public final class TestAuthority {
    /// A type of key.
    public enum Key: Hashable, Sendable {
        /// P-256.
        case ecdsa
        /// With a number of bits.
        case rsa(Int)
    }

    /// A certificate and its key, as PEM.
    public struct Issued: Sendable {
        /// The certificate.
        public let certificate: [UInt8]
        /// The private key.
        public let key: [UInt8]

        /// A certificate, perhaps with others of its chain behind it.
        public init(certificate: [UInt8], key: [UInt8]) {
            self.certificate = certificate
            self.key = key
        }
    }

    /// What a certificate contains.
    public struct Request {
        /// Its common name; nil: none.
        public var commonName: String?
        /// Subject alternative names: `DNS:a.example`, `URI:spiffe://corp/a`, `IP:127.0.0.1`.
        public var names: [String]
        /// Its key.
        public var key = Key.ecdsa
        /// The first day on which it is valid, counted from today.
        public var firstDay = -1
        /// The last day on which it is valid, counted from today.
        public var lastDay = 30
        /// For how many seconds it is valid from now on, instead of whole days.
        public var seconds: Int?
        /// `serverAuth`, `clientAuth` or both; nil: any use.
        public var usage: String?
        /// It signs itself.
        public var isSelfSigned = false
        /// It may sign others.
        public var isAuthority = false

        /// A certificate for names.
        public init(commonName: String? = nil, names: [String] = ["DNS:localhost"]) {
            self.commonName = commonName
            self.names = names
        }
    }

    private let own: (certificate: OpaquePointer, key: OpaquePointer)
    private var serial = 1
    private let ownSerial: Int
    private var revoked: [Int] = []

    /// The authority's certificate, as PEM.
    public var certificate: [UInt8] { Self.pem { PEM_write_bio_X509($0, own.certificate) } }

    /// Makes an authority; by another one if there is one above it. The days are counted from today.
    public init(
        _ name: String = "Test CA", below parent: TestAuthority? = nil, valid days: ClosedRange<Int> = -1...30
    ) throws {
        var request = Request(commonName: name, names: [])
        (request.firstDay, request.lastDay) = (days.lowerBound, days.upperBound)
        request.isAuthority = true
        request.isSelfSigned = parent == nil
        ownSerial = parent == nil ? 1 : .random(in: 1_000...1_000_000)
        own = try Self.make(request, serial: ownSerial, by: parent?.own)
    }

    deinit {
        X509_free(own.certificate)
        EVP_PKEY_free(own.key)
    }

    /// Issues a certificate.
    public func issue(_ request: Request = Request()) throws -> Issued {
        serial += 1
        let made = try Self.make(request, serial: serial, by: own)
        defer {
            X509_free(made.certificate)
            EVP_PKEY_free(made.key)
        }
        return Issued(
            certificate: Self.pem { PEM_write_bio_X509($0, made.certificate) },
            key: Self.pem { PEM_write_bio_PrivateKey($0, made.key, nil, nil, 0, nil, nil) })
    }

    /// A revocation list with the certificate that was issued last.
    public func revokeLast() throws -> [UInt8] { try revoke(serial) }

    /// A revocation list with an authority below this one.
    public func revoke(_ authority: TestAuthority) throws -> [UInt8] { try revoke(authority.ownSerial) }

    private func revoke(_ number: Int) throws -> [UInt8] {
        revoked.append(number)
        let list = X509_CRL_new()
        defer { X509_CRL_free(list) }
        X509_CRL_set_version(list, 1)
        X509_CRL_set_issuer_name(list, X509_get_subject_name(own.certificate))
        let now = X509_gmtime_adj(nil, -3600)
        let later = X509_gmtime_adj(nil, 86_400)
        X509_CRL_set1_lastUpdate(list, now)
        X509_CRL_set1_nextUpdate(list, later)
        for serial in revoked {
            let entry = X509_REVOKED_new()
            let number = ASN1_INTEGER_new()
            ASN1_INTEGER_set(number, serial)
            X509_REVOKED_set_serialNumber(entry, number)
            X509_REVOKED_set_revocationDate(entry, now)
            X509_CRL_add0_revoked(list, entry)
            ASN1_INTEGER_free(number)
        }
        ASN1_TIME_free(now)
        ASN1_TIME_free(later)
        guard X509_CRL_sign(list, own.key, EVP_sha256()) > 0 else { throw TestFailure("no revocation list") }
        return Self.pem { PEM_write_bio_X509_CRL($0, list) }
    }

    private static func make(
        _ request: Request, serial: Int, by issuer: (certificate: OpaquePointer, key: OpaquePointer)?
    ) throws -> (certificate: OpaquePointer, key: OpaquePointer) {
        let made: OpaquePointer? =
            switch request.key {
            case .ecdsa: tapline_make_ecdsa_key()
            case .rsa(let bits): tapline_make_rsa_key(bits)
            }
        guard let key = made, let certificate = X509_new() else { throw TestFailure("no key") }
        X509_set_version(certificate, 2)
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial)
        X509_gmtime_adj(X509_getm_notBefore(certificate), request.firstDay * 86_400)
        X509_gmtime_adj(X509_getm_notAfter(certificate), request.seconds ?? request.lastDay * 86_400)
        X509_set_pubkey(certificate, key)
        if let name = request.commonName {
            X509_NAME_add_entry_by_txt(
                X509_get_subject_name(certificate), "CN", MBSTRING_UTF8, name, -1, -1, 0)
        }
        let signer = request.isSelfSigned ? nil : issuer
        X509_set_issuer_name(certificate, X509_get_subject_name(signer?.certificate ?? certificate))
        try add("basicConstraints", request.isAuthority ? "critical,CA:TRUE" : "CA:FALSE", to: certificate)
        if request.isAuthority { try add("keyUsage", "critical,keyCertSign,cRLSign", to: certificate) }
        if let usage = request.usage { try add("extendedKeyUsage", usage, to: certificate) }
        if !request.names.isEmpty {
            try add("subjectAltName", request.names.joined(separator: ","), to: certificate)
        }
        guard X509_sign(certificate, signer?.key ?? key, EVP_sha256()) > 0 else {
            throw TestFailure("the certificate cannot be signed")
        }
        return (certificate, key)
    }

    private static func add(_ name: String, _ value: String, to certificate: OpaquePointer) throws {
        guard let made = X509V3_EXT_conf(nil, nil, name, value) else { throw TestFailure("no extension \(name)") }
        X509_add_ext(certificate, made, -1)
        X509_EXTENSION_free(made)
    }

    private static func pem(_ write: (OpaquePointer?) -> CInt) -> [UInt8] {
        let bio = BIO_new(BIO_s_mem())
        defer { BIO_free(bio) }
        guard write(bio) == 1 else { return [] }
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = BIO_read(bio, &bytes, CInt(bytes.count))
        return Array(bytes.prefix(Int(max(0, count))))
    }
}
