internal import Glibc

/// Reads the small files of /proc and /sys.
public enum SmallFile {
    /// The first 4 KiB of a file as text; nil when it cannot be read.
    public static func read(_ path: String) -> String? {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { _ = close(fd) }
        return withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
            let count = Errno.retrying { Glibc.read(fd, buffer.baseAddress, buffer.count) }
            guard count >= 0 else { return nil }
            return String(decoding: UnsafeRawBufferPointer(rebasing: buffer[..<count]), as: UTF8.self)
        }
    }
}
