import Glibc
import Text

/// What the system says of a file without its content being read, to see cheaply that it is still the same.
struct FileSignature: Hashable, Sendable {
    private let device: UInt64
    private let number: UInt64
    private let size: Int64
    private let modified: Int64
    private let changed: Int64

    /// How long a change must be past to be told from the next one by its time; the clock of files moves in steps.
    private static let settling: Int64 = 2_000_000_000

    /// The signature of what a path leads to; nil when there is nothing.
    init?(of path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        number = UInt64(status.st_ino)
        size = Int64(status.st_size)
        modified = Self.nanoseconds(status.st_mtim)
        changed = Self.nanoseconds(status.st_ctim)
    }

    /// Whether another change would show for certain: the last one was a while ago.
    func isSettled(at now: Timestamp = .now) -> Bool {
        changed < now.nanoseconds - Self.settling
    }

    /// Whether a path leads to a plain file.
    static func isPlainFile(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

/// Which directory a path leads to: the same name may become another one's.
struct DirectoryIdentity: Hashable, Sendable {
    private let device: UInt64
    private let number: UInt64

    /// Nil when there is nothing at the path.
    init?(of path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        number = UInt64(status.st_ino)
    }
}
