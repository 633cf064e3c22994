/// Reads the relays of included files. Positions are those in each file.
struct IncludedReader {
    private let reading: Reading

    /// A reader with the settings of the main file's reader.
    init(_ reading: Reading) {
        self.reading = reading
    }

    /// The relays of all files, in the order of the files. Mistakes are reported.
    func relays(_ files: [IncludedFiles.File]) -> [RelayDraft] {
        files.flatMap(relays)
    }

    private func relays(_ file: IncludedFiles.File) -> [RelayDraft] {
        let reading = Reading(
            problems: reading.problems.following(file.shown), environment: reading.environment,
            directory: reading.directory, readsCertificates: reading.readsCertificates)
        switch file.content {
        case .success(let bytes):
            return relays(bytes, reading)
        case .failure(let error):
            reading.problems.report(nil, error.message)
            return []
        }
    }

    private func relays(_ bytes: [UInt8], _ reading: Reading) -> [RelayDraft] {
        let problems = reading.problems
        guard Configuration.isOfAllowedSize(bytes, problems) else { return [] }
        let before = problems.count
        guard let root = YAMLTree.read(bytes, problems), !root.isEmpty else {
            if problems.count == before {
                problems.report(.start, "the file is empty; an included file needs `relays`, or `relays: []` for none")
            }
            return []
        }
        switch root.content {
        case .sequence:
            problems.report(root.mark, "an included file is not a list; write `relays:` above the list")
            return []
        case .mapping(let entries):
            let own = entries.filter { !isForTheMainFile($0.key, problems) }
            let node = YAMLNode(content: .mapping(own), mark: root.mark)
            guard let fields = Fields<IncludedKey>(node, called: "an included file", reading) else { return [] }
            // The keys of the wrong file have been reported.
            if own.isEmpty, !entries.isEmpty { return [] }
            return fields.required(.relays, in: "the included file").map {
                RelayDraft.list($0, mayBeEmpty: true)
            } ?? []
        case .scalar, .refused:
            _ = Fields<IncludedKey>(root, called: "an included file", reading)
            return []
        }
    }

    private func isForTheMainFile(_ key: YAMLNode, _ problems: Problems) -> Bool {
        guard case .scalar(let name, _) = key.content, let known = RootKey(rawValue: name), known != .relays else {
            return false
        }
        problems.report(
            key.mark,
            known == .include
                ? "an included file cannot include others; only \(reading.problems.path) may have `include`"
                : "`\(name)` belongs in \(reading.problems.path); an included file has `relays` only")
        return true
    }
}
