internal import TLS

/// Files that have other content, although no setting is different: renewed certificates, keys, authorities and lists.
extension SettingComparison {
    /// The most files that are named.
    private static let mostFiles = 4
    /// The shown characters of a name.
    private static let longestName = 48

    /// Compares what a key's files contained, those that both configurations read.
    mutating func addContent<Context>(
        _ keys: [any ConfigurationKey], of files: [String], _ old: LoadedTLS<Context>?, _ new: LoadedTLS<Context>?
    ) {
        guard let old, let new else { return }
        let changed = files.filter { file in
            guard let before = old.digest(of: file), let after = new.digest(of: file) else { return false }
            return before != after
        }
        guard !changed.isEmpty else { return }
        let rest = changed.count > Self.mostFiles ? " and \(changed.count - Self.mostFiles) more" : ""
        let texts = changed.prefix(Self.mostFiles).map { file in
            "\(Self.name(of: file, among: new.files.map(\.path))) "
                + "(\(Self.change(old.expiry(of: file), new.expiry(of: file))))"
        }
        addContent(keys, changed.joined(separator: ", "), texts.joined(separator: ", ") + rest)
    }

    /// `renewed: expires 2027-01-01, was 2026-12-01`; without a date, as for a key, `changed`.
    private static func change(_ old: Int64?, _ new: Int64?) -> String {
        guard let old, let new else { return "changed" }
        let (before, after) = (TLSCertificate.date(old), TLSCertificate.date(new))
        let (dayBefore, dayAfter) = (before.prefix { $0 != "T" }, after.prefix { $0 != "T" })
        if old == new { return "changed: expires \(dayAfter), as before" }
        let verb = new > old ? "renewed" : "changed"
        // Short-lived certificates are renewed within a day.
        let isOneDay = dayBefore == dayAfter
        return isOneDay ? "\(verb): expires \(after), was \(before)" : "\(verb): expires \(dayAfter), was \(dayBefore)"
    }

    /// The file's own name, or its path if another file has the same name. The end of a long one is shown.
    private static func name(of file: String, among all: [String]) -> String {
        func last(_ path: String) -> Substring { path.split(separator: "/").last ?? path[...] }
        let isUnique = !all.contains { $0 != file && last($0) == last(file) }
        let name = isUnique ? String(last(file)) : file
        return name.count <= longestName ? name : "…" + name.suffix(longestName - 1)
    }
}
