internal import CLinux
internal import Glibc

/// A file without a name, in memory (memfd_create(2)): a text for a process that is started with its descriptor.
///
/// One owner, one thread; it is closed when its owner lets it go.
public final class MemoryFile {
    /// The descriptor.
    public let fd: Int32

    /// Makes one that holds a text. Its descriptor is not numbered under `lowest`.
    public init(_ text: String, from lowest: Int32) throws(SystemError) {
        let made = tapline_memory_file("tapline-handover")
        let copy = made < 0 ? made : fcntl(made, F_DUPFD_CLOEXEC, lowest)
        let error = Errno.current
        if made >= 0 { _ = Glibc.close(made) }
        fd = copy
        guard fd >= 0 else { throw SystemError("make a file in memory", error) }
        let bytes = Array(text.utf8)
        let written = Errno.retrying { pwrite(fd, bytes, bytes.count, 0) }
        guard written == bytes.count else { throw SystemError("write a file in memory", .current) }
    }

    /// Takes over a descriptor that this process was started with.
    public init(inheriting descriptor: Int32) {
        fd = descriptor
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    deinit {
        if fd >= 0 { _ = Glibc.close(fd) }
    }

    /// All of it, unless that is more than so many bytes.
    public func text(atMost limit: Int) throws(SystemError) -> String {
        var failure: Errno?
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            let result = Errno.retrying { pread(fd, buffer.baseAddress, limit, 0) }
            if result < 0 { failure = .current }
            count = max(0, result)
        }
        if let failure { throw SystemError("read what the process before has written", failure) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
