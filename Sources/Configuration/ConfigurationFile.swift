internal import Glibc
internal import Sockets

/// Reads the files of a configuration.
enum ConfigurationFile {
    /// The bytes of a file, and one byte more than is allowed at most: that tells a file which is too large, where a size
    /// asked for beforehand could change.
    ///
    /// Blocks on it. With `onlyPlainFiles` it refuses anything else, for a pipe may never end.
    static func read(_ path: String, onlyPlainFiles: Bool) throws(ValueError) -> [UInt8] {
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
}
