internal import Glibc
internal import Sockets

/// What a configuration file held at one moment. Two of them are equal when there is nothing new to read.
public struct ConfigurationText: Hashable, Sendable {
    /// The file, as it was named.
    public let path: String
    /// The absolute path of its folder, as it was named.
    public let directory: String
    /// One byte more than is allowed at most.
    let bytes: [UInt8]

    /// Takes a text as if it had been read.
    public init(path: String, directory: String, bytes: [UInt8]) {
        self.path = path
        self.directory = directory
        self.bytes = bytes
    }

    /// Reads a file. Blocks on it; a loop's thread asks for a plain file (`onlyPlainFiles`), and gets an error for
    /// anything else, for a pipe may never end.
    public init(reading path: String, onlyPlainFiles: Bool = false) throws(ConfigurationErrors) {
        do {
            self.init(
                path: path, directory: try Self.folder(of: path),
                bytes: try Self.read(path, onlyPlainFiles: onlyPlainFiles))
        } catch {
            throw ConfigurationErrors([ConfigurationProblem(path: path, mark: nil, message: error.message)])
        }
    }

    private static func read(_ path: String, onlyPlainFiles: Bool) throws(ValueError) -> [UInt8] {
        // Opening a FIFO waits for its writer, unless told not to.
        let file = open(path, O_RDONLY | O_CLOEXEC | (onlyPlainFiles ? O_NONBLOCK : 0))
        guard file >= 0 else { throw ValueError("cannot be read: \(Errno.current)") }
        defer { close(file) }
        if onlyPlainFiles {
            var status = stat()
            guard fstat(file, &status) == 0 else { throw ValueError("cannot be read: \(Errno.current)") }
            guard status.st_mode & S_IFMT == S_IFREG || status.st_mode & S_IFMT == S_IFDIR else {
                throw ValueError("is not a plain file, and cannot be read a second time")
            }
        }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 64 << 10)
        // One byte more than is allowed tells a file that is too large; a size asked for beforehand could change.
        while bytes.count <= Configuration.mostBytes {
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
