extension RecordSettings {
    /// Reads settings that somebody asks for beside the configuration: the value of `record:`, as JSON or YAML. What it
    /// leaves out is as in `base`, or has its default. Relative paths begin at `directory`, which is absolute.
    ///
    /// The environment is not looked into: whoever asks may not read it that way. Throws every mistake, with its place
    /// in the request.
    public static func parse(
        _ bytes: [UInt8], changing base: RecordSettings?, directory: String
    ) throws(ConfigurationErrors) -> RecordSettings {
        let problems = Problems(path: "request")
        let reading = Reading(problems: problems, environment: [:], directory: directory)
        var settings: RecordSettings?
        if let root = YAMLTree.read(bytes, problems) {
            settings = RelayDraft.record(
                Field(name: RelayKey.record.rawValue, node: root, keyMark: root.mark, reading: reading), changing: base)
        }
        if let settings, problems.errors == nil { return settings }
        throw problems.errors
            ?? ConfigurationErrors([
                ConfigurationProblem(path: "request", mark: .start, message: "there is nothing in it")
            ])
    }
}
