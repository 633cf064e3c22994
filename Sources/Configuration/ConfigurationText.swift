internal import Glibc
internal import Sockets

/// What a configuration file held at one moment, and the files that it includes. Two of them are equal when there is
/// nothing new to read.
public struct ConfigurationText: Hashable, Sendable {
    /// The file, as it was named.
    public let path: String
    /// The absolute path of its folder, as it was named.
    public let directory: String
    /// One byte more than is allowed at most.
    let bytes: [UInt8]
    /// The files that it includes; nil where it includes none, and of a text that was not read from a file.
    let included: IncludedFiles?

    /// Takes a text as if it had been read; it cannot include files.
    public init(path: String, directory: String, bytes: [UInt8]) {
        self.path = path
        self.directory = directory
        self.bytes = bytes
        included = nil
    }

    /// Reads a file and those that it includes. Blocks on them; a loop's thread asks for a plain file
    /// (`onlyPlainFiles`), and gets an error for anything else, for a pipe may never end. Which files are included may
    /// depend on the environment.
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

    /// Which files belong to it beside its own; nil where it includes none.
    public var includedPaths: IncludedPaths? {
        included.map { included in
            IncludedPaths(
                inclusion: included.inclusion, files: included.names.map { included.inclusion.folder + "/" + $0 })
        }
    }

    /// Which files `include` names; nil where the text includes nothing, or says so in a way that cannot be read, which
    /// is reported when the text is parsed.
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

    /// The folder of a file, absolute.
    private static func folder(of path: String) throws(ValueError) -> String {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        if folder.hasPrefix("/") { return try PathText.absolute(folder, in: "/") }
        return try PathText.absolute(folder, in: try currentDirectory())
    }

    private static func currentDirectory() throws(ValueError) -> String {
        guard let path = getcwd(nil, 0) else {
            throw ValueError(
                "the path is relative, and the working directory is gone; write the whole path, from `/` on")
        }
        defer { free(path) }
        return String(cString: path)
    }
}
