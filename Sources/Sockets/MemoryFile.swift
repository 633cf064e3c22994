internal import CLinux
internal import Glibc

/// An anonymous file in memory (memfd_create(2)), which passes a text to a process that inherits its descriptor.
///
/// One owner, one thread; `deinit` closes it.
public final class MemoryFile {
    /// The descriptor.
    public let fd: Int32

    /// Creates a file with a text. Its descriptor number is at least `lowest`.
    public init(_ text: String, from lowest: Int32) throws(SystemError) {
        let made = tapline_memory_file("tapline-handover")
        let copy = made < 0 ? made : fcntl(made, F_DUPFD_CLOEXEC, lowest)
        let error = Errno.current
        if made >= 0 { _ = Glibc.close(made) }
        fd = copy
        guard fd >= 0 else { throw SystemError("create a memory file", error) }
        let bytes = Array(text.utf8)
        let written = Errno.retrying { pwrite(fd, bytes, bytes.count, 0) }
        guard written == bytes.count else { throw SystemError("write a memory file", .current) }
    }

    /// Adopts an inherited descriptor.
    public init(inheriting descriptor: Int32) {
        fd = descriptor
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    deinit {
        if fd >= 0 { _ = Glibc.close(fd) }
    }

    /// The text, up to `limit` bytes.
    public func text(atMost limit: Int) throws(SystemError) -> String {
        var failure: Errno?
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            let result = Errno.retrying { pread(fd, buffer.baseAddress, limit, 0) }
            if result < 0 { failure = .current }
            count = max(0, result)
        }
        if let failure { throw SystemError("read the previous process's message", failure) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
