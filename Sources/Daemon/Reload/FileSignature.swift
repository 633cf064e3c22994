import Glibc

/// The result of stat(2) for a file: a cheap comparison that finds most changes.
struct FileSignature: Hashable, Sendable {
    private let device: UInt64
    private let number: UInt64
    private let size: Int64
    private let modified: Int64
    private let changed: Int64

    /// The signature of the file at a path; nil where there is none.
    init?(of path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        number = UInt64(status.st_ino)
        size = Int64(status.st_size)
        modified = Self.nanoseconds(status.st_mtim)
        changed = Self.nanoseconds(status.st_ctim)
    }

    /// A hash of a plain file's content, up to the longest configuration; nil where there is none or it cannot be read.
    /// Does not wait for a FIFO's writer.
    static func digest(of path: String) -> Int? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        var hasher = Hasher()
        var block = [UInt8](repeating: 0, count: 64 << 10)
        var total = 0
        while total <= longestConfiguration {
            let count = read(file, &block, block.count)
            if count < 0 {
                if errno == EINTR { continue }
                return nil
            }
            guard count > 0 else { break }
            block.withUnsafeBytes { hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            total += count
        }
        return hasher.finalize()
    }

    /// Longer files are refused without being read.
    private static let longestConfiguration = 1 << 20

    private static func nanoseconds(_ time: timespec) -> Int64 {
        // The file system's clock may have any value; only a difference matters.
        Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
