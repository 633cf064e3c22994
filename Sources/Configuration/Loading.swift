internal import Glibc
internal import Sockets

extension Configuration {
    /// The largest configuration: far more than people write, and little enough to read whole.
    static let mostBytes = 1 << 20

    /// Reads and checks a configuration file. Relative paths in it are taken from its folder, as it was named: a link
    /// to the file is not followed for that.
    ///
    /// Blocks on the file; not for a loop's thread.
    public static func load(
        path: String, environment: [String: String]
    ) throws(ConfigurationErrors) -> Configuration {
        let bytes: [UInt8]
        let directory: String
        do {
            bytes = try read(path)
            directory = try folder(of: path)
        } catch {
            throw ConfigurationErrors([ConfigurationProblem(path: path, mark: nil, message: error.message)])
        }
        return try parse(bytes, path: path, directory: directory, environment: environment, notYet: NotYet.keys)
    }

    /// Checks a configuration's text; `path` is for messages, `directory` (absolute) is what relative paths are
    /// relative to.
    public static func parse(
        _ text: String, path: String, directory: String, environment: [String: String]
    ) throws(ConfigurationErrors) -> Configuration {
        try parse(Array(text.utf8), path: path, directory: directory, environment: environment, notYet: NotYet.keys)
    }

    static func parse(
        _ bytes: [UInt8], path: String, directory: String, environment: [String: String], notYet: Set<String>
    ) throws(ConfigurationErrors) -> Configuration {
        let problems = Problems(path: path)
        guard bytes.count <= mostBytes else {
            problems.report(nil, "larger than \(SizeText.text(of: mostBytes)); that is no configuration")
            throw problems.errors ?? ConfigurationErrors([])
        }
        let reading = Reading(problems: problems, environment: environment, directory: directory, notYet: notYet)
        var configuration: Configuration?
        if let root = YAMLTree.read(bytes, problems), !root.isEmpty {
            configuration = ConfigurationReader(reading).configuration(root)
        } else if problems.errors == nil {
            problems.report(.start, "there is nothing in it; at least `relays` is needed")
        }
        if let configuration, problems.errors == nil { return configuration }
        throw problems.errors ?? ConfigurationErrors([])
    }

    // MARK: The file

    private static func read(_ path: String) throws(ValueError) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw ValueError("cannot be read: \(Errno.current)") }
        defer { close(file) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 64 << 10)
        // One byte more than is allowed tells a file that is too large; a size asked for beforehand could change.
        while bytes.count <= mostBytes {
            let count = Glibc.read(file, &block, block.count)
            if count < 0 {
                let error = Errno.current
                if error == Errno(EINTR) { continue }
                throw ValueError("cannot be read: \(error)")
            }
            if count == 0 { break }
            bytes += block[..<count]
        }
        return bytes
    }

    /// The folder of a file, absolute.
    private static func folder(of path: String) throws(ValueError) -> String {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        if folder.hasPrefix("/") { return try PathText.absolute(folder, in: "/") }
        return try PathText.absolute(folder, in: try currentDirectory())
    }

    private static func currentDirectory() throws(ValueError) -> String {
        guard let path = getcwd(nil, 0) else { throw ValueError("the working directory is gone: \(Errno.current)") }
        defer { free(path) }
        return String(cString: path)
    }
}
