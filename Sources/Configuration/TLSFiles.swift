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

/// Mistakes with TLS that have a known remedy.
enum TLSAdvice {
    /// A file with its error.
    static func words(_ path: String, _ error: TLSCredentialError) -> String {
        "\(quoted(path)) \(error.description(of: path))"
    }

    /// Throws for an upstream with a notation for TLS that a configuration does not have.
    static func check(upstream text: String) throws(ValueError) {
        let rest = text.dropFirst(SecureSpec.word.count)
        // `tls:443` is a host and its port.
        if text.hasPrefix(SecureSpec.word), rest.contains(":") {
            throw ValueError(
                "\(quoted(text)): `tls:` is for `tapline forward`; here write \(quoted(rest)), and `upstream_tls: {}` for TLS"
            )
        }
        guard let scheme = secureScheme(text) else { return }
        throw ValueError(
            "\(quoted(text)): Tapline forwards TCP, not URLs; write HOST:PORT without \(quoted(scheme)), and "
                + "`upstream_tls: {}` for TLS")
    }

    /// Throws for a listener with a notation for TLS that a configuration does not have.
    static func check(listen text: String) throws(ValueError) {
        if text.hasPrefix(SecureSpec.word) {
            throw ValueError(
                "\(quoted(text)): `tls:` is for `tapline forward`; here write \(quoted(text.dropFirst(SecureSpec.word.count))), "
                    + "and `tls: { certificates: … }` for TLS")
        }
        guard let scheme = secureScheme(text) else { return }
        throw ValueError(
            "\(quoted(text)): Tapline forwards TCP, not URLs; write an address without \(quoted(scheme)), and "
                + "`tls: { certificates: … }` for TLS")
    }

    /// `https://` of a URL that stands for TLS.
    private static func secureScheme(_ text: String) -> String? {
        guard let mark = text.firstRange(of: "://") else { return nil }
        let scheme = text[..<mark.lowerBound]
        return WellKnownPort.isSecure(scheme) ? "\(scheme)://" : nil
    }

    /// Whether `upstream_tls` has no value or `true`, which are probably meant as its defaults; reported.
    static func hasNoMapping(_ field: Field) -> Bool {
        guard case .scalar(let text, isPlain: true) = field.node.content else { return false }
        let what: String
        switch text {
        case "": what = "has no value"
        case "true", "yes", "on": what = "is a mapping, not \(quoted(text))"
        default: return false
        }
        field.report("\(what); write `upstream_tls: {}` for the defaults")
        return true
    }

    /// Reports pins that nothing is compared with, and `verify: pin` without any.
    static func checkPins(_ field: Field?, _ settings: UpstreamTLSSettings, _ parent: Field) {
        switch settings.verify {
        case .off where !settings.pins.isEmpty: field?.report("nothing is compared with them: `verify` is `off`")
        // An invalid pin has been reported.
        case .pin where field?.elements().isEmpty ?? true:
            (field ?? parent).report("`verify: pin` needs at least one of `pins`, such as sha256/… in Base64")
        case .off, .pin, .full, .chain: break
        }
    }

    /// Why authorities cannot be used, with the pin of a certificate that is none.
    static func authority(
        _ path: String, _ error: TLSCredentialError, isOfClients: Bool, isOption: Bool = false
    ) -> String {
        guard case .authorityMissing(let certificate) = error else { return words(path, error) }
        return words(path, error) + (isOption ? ", or in a configuration" : "")
            + (isOfClients
                ? "; for this certificate alone write `allow: { spki: [\(certificate.pin)] }`, too"
                : "\(isOption ? "" : ";") for this certificate alone write `verify: pin` and `pins: [\(certificate.pin)]`")
    }

    /// Reports DNS patterns of `allow` that match no name.
    static func dnsPattern(_ text: String) throws(ValueError) -> String {
        guard TLSAllowList.isPossible(dns: text) else {
            throw ValueError(
                "\(quoted(text)) matches no name: `*` stands for one whole part between dots, such as *.internal or "
                    + "*.*.internal")
        }
        return text
    }
}
