extension RecordSettings {
    /// Parses the settings in a request to the admin API: the value of `record:`, as JSON or YAML. Omitted values are those
    /// of `base`, or the defaults. Relative paths are resolved in `directory`, which is absolute.
    ///
    /// Environment variables are not expanded: a client of the API could read them that way. Throws every mistake, with
    /// its position in the request.
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
