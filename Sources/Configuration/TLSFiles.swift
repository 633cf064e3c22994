import TLS

/// Reads the files of `tls` and `upstream_tls`, digests what they contain, and remembers where they are named.
struct TLSFiles {
    /// Far more than a bundle of every public authority has.
    static let most = 8 << 20

    private let reading: Reading
    /// Everything that was read.
    private(set) var loaded: [LoadedFile] = []
    private var places: [String: String] = [:]

    init(_ reading: Reading) {
        self.reading = reading
    }

    /// A file's content; nil if it is not to be read, or cannot be, which is reported at the field.
    mutating func read(_ path: String, _ field: Field) -> [UInt8]? {
        guard reading.readsCertificates else { return nil }
        reading.problems.note(certificateFile: path)
        places[path] = places[path] ?? "\(reading.problems.path):\(field.mark.line):\(field.mark.column)"
        do throws(ValueError) {
            let text = try ConfigurationFile.read(path, onlyPlainFiles: true, most: Self.most)
            guard text.count <= Self.most else { throw ValueError("is too large") }
            loaded.append(LoadedFile(path: path, digest: TLSTrust.digest(text)))
            return text
        } catch {
            field.report("\(quoted(path)) \(error.message)")
            return nil
        }
    }

    /// Expiries with the places of their files.
    func placed(_ expiries: [TLSExpiry]) -> [TLSExpiry] {
        expiries.map { expiry in
            var expiry = expiry
            expiry.place = places[expiry.file]
            return expiry
        }
    }

    /// What peers may refuse in certificates. A root of `trust`, and one of the system, need not be in a chain.
    func remarks(
        _ credentials: [(chain: String, credential: TLSCredential)], as owner: TLSCredential.Owner,
        trust: TLSTrust? = nil
    ) -> [TLSRemark] {
        credentials.flatMap { chain, credential in
            TLSRemark.of(credential, in: chain, as: owner, trust: trust, place: places[chain])
        }
    }
}

extension TLSRemark {
    /// The system's authorities at the first use: a remark needs no newer ones.
    private static let systemTrust: TLSTrust? = {
        guard let path = TLSTrust.systemFile,
            let text = try? ConfigurationFile.read(path, onlyPlainFiles: true, most: TLSFiles.most)
        else { return nil }
        return try? TLSTrust(authorities: text)
    }()

    /// The remarks about one certificate.
    static func of(
        _ credential: TLSCredential, in chain: String, as owner: TLSCredential.Owner, trust: TLSTrust? = nil,
        place: String? = nil
    ) -> [TLSRemark] {
        credential.remarks(as: owner) { issuer in
            trust?.isRoot(issuer) == true || systemTrust?.isRoot(issuer) == true
        }.map { TLSRemark(file: chain, text: $0, place: place) }
    }
}
