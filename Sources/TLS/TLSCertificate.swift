internal import COpenSSL
internal import Glibc
internal import Text

/// The facts of a certificate that records and messages use. A value; any thread.
///
/// Texts are printable ASCII of bounded length, whatever the certificate contains.
public struct TLSCertificate: Hashable, Sendable {
    /// The names of each kind that are kept: a certificate may have thousands.
    private static let mostNames = 100

    /// The distinguished name of the subject, such as `CN=db.internal,O=Example`.
    public let subject: String
    /// The distinguished name of the issuer.
    public let issuer: String
    /// The last common name of the subject; nil without one.
    public let commonName: String?
    /// The DNS names of the subject, in lower case.
    public let dnsNames: [String]
    /// The URIs of the subject, such as a SPIFFE ID.
    public let uris: [String]
    /// The IP addresses of the subject.
    public let addresses: [String]
    /// Seconds since 1970 UTC.
    public let notBefore: Int64
    /// Seconds since 1970 UTC.
    public let notAfter: Int64
    /// The SHA-256 of the public key (SPKI), as `sha256/` and Base64.
    public let pin: String

    /// The facts of an X509.
    init(_ certificate: OpaquePointer) {
        subject = Self.text(X509_get_subject_name(certificate))
        issuer = Self.text(X509_get_issuer_name(certificate))
        commonName = Self.commonName(of: certificate)
        notBefore = Self.seconds(X509_get0_notBefore(certificate))
        notAfter = Self.seconds(X509_get0_notAfter(certificate))
        pin = Self.pin(of: certificate)
        var names: [CInt: [String]] = [:]
        if let list = X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) {
            let stack = OpaquePointer(list)
            defer { GENERAL_NAMES_free(stack) }
            for position in 0..<max(0, OPENSSL_sk_num(stack)) {
                guard let entry = OPENSSL_sk_value(stack, position) else { continue }
                var type: CInt = 0
                let value = GENERAL_NAME_get0_value(entry.assumingMemoryBound(to: GENERAL_NAME.self), &type)
                guard let value, [GEN_DNS, GEN_URI, GEN_IPADD].contains(type) else { continue }
                let bytes = Self.bytes(UnsafePointer(value.assumingMemoryBound(to: ASN1_STRING.self)))
                // A longer name would be cut, and what is left of it could match a pattern.
                guard names[type, default: []].count < Self.mostNames, bytes.count <= 512 else { continue }
                names[type, default: []].append(type == GEN_IPADD ? Self.address(bytes) : OpenSSL.plain(bytes))
            }
        }
        dnsNames = names[GEN_DNS, default: []].map { $0.lowercased() }
        uris = names[GEN_URI, default: []]
        addresses = names[GEN_IPADD, default: []]
    }

    /// The name by which records identify its owner: the first URI, the first DNS name, or the subject.
    public var identity: String {
        uris.first ?? dnsNames.first ?? (subject.isEmpty ? pin : subject)
    }

    /// The names that it is valid for as a server's.
    var serverNames: [String] {
        dnsNames.isEmpty && addresses.isEmpty ? commonName.map { [$0.lowercased()] } ?? [] : dnsNames
    }

    /// A time, in seconds since 1970 UTC, as an RFC 3339 date and time, without fractions.
    public static func date(_ seconds: Int64) -> String {
        var bytes: [UInt8] = []
        Timestamp(seconds: seconds, nanoseconds: 0).append(to: &bytes)
        return String(decoding: bytes.dropLast(5), as: UTF8.self) + "Z"
    }

    /// When a certificate expires, seconds since 1970 UTC.
    static func end(of certificate: OpaquePointer) -> Int64 { seconds(X509_get0_notAfter(certificate)) }

    // MARK: Reading an X509

    static func text(_ name: OpaquePointer?) -> String {
        guard let name else { return "" }
        return OpenSSL.text { tapline_print_name($0, name) }
    }

    private static func commonName(of certificate: OpaquePointer) -> String? {
        guard let name = X509_get_subject_name(certificate) else { return nil }
        var last: CInt = -1
        while true {
            let next = X509_NAME_get_index_by_NID(name, NID_commonName, last)
            guard next >= 0 else { break }
            last = next
        }
        guard last >= 0, let entry = X509_NAME_get_entry(name, last), let data = X509_NAME_ENTRY_get_data(entry) else {
            return nil
        }
        return OpenSSL.plain(bytes(UnsafePointer(data)))
    }

    private static func bytes(_ string: UnsafePointer<ASN1_STRING>) -> [UInt8] {
        Array(UnsafeBufferPointer(start: ASN1_STRING_get0_data(string), count: Int(ASN1_STRING_length(string))))
    }

    private static func address(_ bytes: [UInt8]) -> String {
        if bytes.count == 4 { return bytes.map { "\($0)" }.joined(separator: ".") }
        return stride(from: 0, to: bytes.count - 1, by: 2).map {
            String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16)
        }.joined(separator: ":")
    }

    /// A time in seconds since 1970 UTC; 0 for an invalid one.
    static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64 {
        var parts = tm()
        guard ASN1_TIME_to_tm(time, &parts) == 1 else { return 0 }
        return Int64(timegm(&parts))
    }

    private static func pin(of certificate: OpaquePointer) -> String {
        var encoded: UnsafeMutablePointer<UInt8>?
        let length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &encoded)
        guard length > 0, let encoded else { return "" }
        defer { CRYPTO_free(encoded, nil, 0) }
        var text: [UInt8] = []
        text.append(base64: Digest.sha256(UnsafeRawBufferPointer(start: encoded, count: Int(length)))[...])
        return "sha256/" + String(decoding: text, as: UTF8.self)
    }
}

extension TLSCertificate: CustomStringConvertible {
    /// `CN=a, names a.example b.example, issued by CN=ca, valid 2026-01-01T00:00:00Z to 2027-01-01T00:00:00Z`.
    public var description: String {
        let names = (uris + dnsNames + addresses).prefix(8)
        var text = subject.isEmpty ? "no subject" : subject
        if !names.isEmpty { text += ", names \(names.joined(separator: " "))" }
        text += subject == issuer ? ", self-issued" : ", issued by \(issuer)"
        return text + ", valid \(Self.date(notBefore)) to \(Self.date(notAfter))"
    }
}

/// SHA-256.
enum Digest {
    static func sha256(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            var length: CUnsignedInt = 32
            let isMade = EVP_Digest(bytes.baseAddress, bytes.count, buffer.baseAddress, &length, EVP_sha256(), nil)
            count = isMade == 1 ? Int(length) : 0
        }
    }
}
