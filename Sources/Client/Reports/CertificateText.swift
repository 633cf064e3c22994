import Text

/// What `tapline status` reports about certificates. Pure.
enum CertificateText {
    /// A file that expires sooner is a warning. The alert rule has the same time.
    private static let warningSeconds: UInt64 = 14 * 86_400

    /// The files that have expired or will soon, and an upstream that is not verified.
    static func warnings(of relay: JSONValue) -> [String] {
        var warnings: [String] = []
        for file in relay["certificates"].elements {
            guard let left = file["expires_in_s"].count, left < warningSeconds else { continue }
            let path = (file["file"].text ?? "?").harmless
            warnings.append(
                left == 0
                    ? "\(path) has expired; \(consequence(file["kind"].text))"
                    : "\(path) expires in \(span(left)); after that, \(consequence(file["kind"].text))")
        }
        if relay["tls_unverified"].isTrue {
            warnings.append("upstream_tls.verify is off: any machine on the way can pretend to be the upstream")
        }
        return warnings
    }

    /// The line about all files; empty without any.
    static func fact(_ relays: [JSONValue]) -> [(String, String)] {
        let files = relays.flatMap { relay in
            relay["certificates"].elements.compactMap { file in
                file["expires_in_s"].count.map { (relay, (file["file"].text ?? "?").harmless, $0) }
            }
        }
        guard let first = files.min(by: { $0.2 < $1.2 }) else { return [] }
        let names = Set(files.map(\.1))
        let end = first.2 == 0 ? "has expired" : "expires in \(span(first.2))"
        let (relay, path, _) = first
        let file = path.split(separator: "/").last.map(String.init) ?? path
        let which = names.count == 1 ? "" : "\(Quantity.number(UInt64(names.count), "file")), first: "
        return [("certificates", "\(which)\(file) (\(RelayLabel.text(of: relay))) \(end)")]
    }

    private static func consequence(_ kind: String?) -> String {
        switch kind {
        case "authority": "the certificates of its authorities are refused"
        case "crl": "every client certificate is refused"
        default: "its peers refuse it"
        }
    }

    /// `43 days`, `5 hours`, `1 minute`.
    private static func span(_ seconds: UInt64) -> String {
        if seconds >= 2 * 86_400 { return Quantity.number(seconds / 86_400, "day") }
        if seconds >= 7200 { return Quantity.number(seconds / 3600, "hour") }
        return Quantity.number(max(1, seconds / 60), "minute")
    }
}
