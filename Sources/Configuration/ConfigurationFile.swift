internal import Glibc
internal import Sockets

/// A configuration's files.
package enum ConfigurationFile {
    /// The path of the configuration that `tapline run` reads by default.
    package static let defaultPath = "/etc/tapline/tapline.yaml"

    /// Reads a file, up to one byte more than the limit: this detects a file that is too large, while a size that is queried
    /// first could change.
    ///
    /// Blocks. With `onlyPlainFiles` it refuses anything else, because a pipe may never end.
    static func read(
        _ path: String, onlyPlainFiles: Bool, most: Int = Configuration.mostBytes
    ) throws(ValueError) -> [UInt8] {
        // Without O_NONBLOCK, opening a FIFO waits for a writer.
        let file = open(path, O_RDONLY | O_CLOEXEC | (onlyPlainFiles ? O_NONBLOCK : 0))
        guard file >= 0 else { throw ValueError("cannot be read: \(Errno.current)") }
        defer { close(file) }
        if onlyPlainFiles {
            var status = stat()
            guard fstat(file, &status) == 0 else { throw ValueError("cannot be read: \(Errno.current)") }
            guard status.st_mode & S_IFMT == S_IFREG || status.st_mode & S_IFMT == S_IFDIR else {
                throw ValueError("is not a regular file, so it cannot be read again")
            }
        }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= most {
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
