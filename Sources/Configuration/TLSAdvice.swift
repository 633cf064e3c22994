import TLS

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
