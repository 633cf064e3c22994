import Text

extension Configuration {
    /// The largest configuration file: far more than people write, and small enough to read at once.
    package static let mostBytes = 1 << 20

    /// Reads and checks a configuration file and the files that it includes. Relative paths in all of them are resolved in
    /// the folder of `path`; a symbolic link to the file is not followed for that.
    ///
    /// Blocks on the files, so it must not be called on a loop's thread. For commands that connect to a running Tapline:
    /// certificates and keys are not read, because only Tapline's user may be allowed to.
    public static func load(
        path: String, environment: [String: String]
    ) throws(ConfigurationErrors) -> Configuration {
        try parse(
            ConfigurationText(reading: path, environment: environment), environment: environment,
            readsCertificates: false
        ).configuration
    }

    /// Checks a configuration's text. `path` is used in messages; relative paths are resolved in `directory`, which is
    /// absolute.
    public static func parse(
        _ text: String, path: String, directory: String, environment: [String: String]
    ) throws(ConfigurationErrors) -> Configuration {
        let text = ConfigurationText(path: path, directory: directory, bytes: Array(text.utf8))
        return try parse(text, environment: environment).configuration
    }

    /// Checks the text of a file. Also returns the positions of settings that the system may refuse.
    public static func parse(
        _ text: ConfigurationText, environment: [String: String], readsCertificates: Bool = true
    ) throws(ConfigurationErrors) -> (configuration: Configuration, locations: ConfigurationLocations) {
        let problems = Problems(path: text.path)
        guard isOfAllowedSize(text.bytes, problems) else { throw problems.errors ?? ConfigurationErrors([]) }
        let reading = Reading(
            problems: problems, environment: environment, directory: text.directory,
            readsCertificates: readsCertificates)
        var result: (configuration: Configuration, locations: ConfigurationLocations)?
        if let root = YAMLTree.read(text.bytes, problems), !root.isEmpty {
            result = ConfigurationReader(reading).configuration(root, including: text.included)
        } else if problems.errors == nil {
            problems.report(.start, "the file is empty; `relays` is required")
        }
        if let result, problems.errors == nil { return result }
        throw problems.errors ?? ConfigurationErrors([])
    }

    /// Whether a file is small enough; reported if not.
    static func isOfAllowedSize(_ bytes: [UInt8], _ problems: Problems) -> Bool {
        guard bytes.count > mostBytes else { return true }
        problems.report(nil, "larger than \(SizeText.text(of: mostBytes)), the limit for a configuration")
        return false
    }
}
