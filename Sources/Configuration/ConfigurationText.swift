internal import Glibc
internal import Sockets

/// The contents of a configuration file and of its included files at one moment. Two values are equal when nothing has
/// changed.
public struct ConfigurationText: Hashable, Sendable {
    /// The file's path as given to Tapline.
    public let path: String
    /// The absolute path of its folder, with links as given.
    public let directory: String
    /// The contents, up to one byte more than the limit.
    let bytes: [UInt8]
    /// The included files; nil without any, and for a text that was not read from a file.
    let included: IncludedFiles?

    /// A text that was not read from a file; it cannot include files.
    public init(path: String, directory: String, bytes: [UInt8]) {
        self.path = path
        self.directory = directory
        self.bytes = bytes
        included = nil
    }

    /// Reads a file and the files that it includes, which may depend on the environment. Blocks on them. A loop's thread
    /// passes `onlyPlainFiles` and gets an error for anything else, because a pipe may never end.
    public init(
        reading path: String, environment: [String: String], onlyPlainFiles: Bool = false
    ) throws(ConfigurationErrors) {
        do {
            self.path = path
            directory = try Self.folder(of: path)
            bytes = try ConfigurationFile.read(path, onlyPlainFiles: onlyPlainFiles)
            included = Self.inclusion(bytes, path, directory, environment).map { IncludedFiles(reading: $0) }
        } catch {
            throw ConfigurationErrors([ConfigurationProblem(path: path, mark: nil, message: error.message)])
        }
    }

    /// The included folder and files; nil without any.
    public var includedPaths: IncludedPaths? {
        included.map { included in
            IncludedPaths(
                inclusion: included.inclusion, files: included.names.map { included.inclusion.folder + "/" + $0 })
        }
    }

    /// The value of `include`; nil when it is absent or invalid, which is reported when the text is parsed.
    private static func inclusion(
        _ bytes: [UInt8], _ path: String, _ directory: String, _ environment: [String: String]
    ) -> Inclusion? {
        guard bytes.count <= Configuration.mostBytes else { return nil }
        let unsaid = Problems(path: path)
        guard let root = YAMLTree.read(bytes, unsaid), case .mapping(let entries) = root.content else { return nil }
        let reading = Reading(problems: unsaid, environment: environment, directory: directory)
        let entry = entries.first {
            if case .scalar(let name, _) = $0.key.content { name == RootKey.include.rawValue } else { false }
        }
        return entry.flatMap { entry in
            Field(name: RootKey.include.rawValue, node: entry.value, keyMark: entry.key.mark, reading: reading)
                .inclusion()
        }
    }

    /// A file's folder as an absolute path.
    private static func folder(of path: String) throws(ValueError) -> String {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        if folder.hasPrefix("/") { return try PathText.absolute(folder, in: "/") }
        return try PathText.absolute(folder, in: try currentDirectory())
    }

    private static func currentDirectory() throws(ValueError) -> String {
        guard let path = getcwd(nil, 0) else {
            throw ValueError(
                "the path is relative, and the working directory no longer exists; write an absolute path")
        }
        defer { free(path) }
        return String(cString: path)
    }
}
