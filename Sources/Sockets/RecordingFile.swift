internal import CLinux
internal import Glibc
internal import Synchronization

/// A file that is appended to and can be truncated; its writer owns it.
///
/// Where the file system benefits, disk space is preallocated beyond the end of a fast-growing file. The file's size
/// does not include it (`FALLOC_FL_KEEP_SIZE`), and `deinit` frees it; after a killed process it stays until the file
/// is removed or truncated.
///
/// Any thread, one at a time. Calls block on the disk, so never on a thread that serves connections.
public final class RecordingFile: Sendable {
    /// Bytes to preallocate at a time.
    private static let preallocationStep = 16 << 20
    /// How often to try a lock that another process holds.
    private static let attemptsToLock = 50
    /// The length from which on space is preallocated.
    private static let preallocationThreshold = 2 << 20

    /// The path at which it was created; for messages.
    public let path: String
    private let fd: CInt
    private let length = Atomic<Int>(0)
    /// The end of the preallocated space; 0: none.
    private let preallocatedEnd = Atomic<Int>(0)
    private let preallocates: Atomic<Bool>

    init(fd: CInt, path: String) {
        self.fd = fd
        self.path = path
        preallocates = Atomic(tapline_gains_by_preallocation(fd) == 1)
        lock()
    }

    /// Locks the file so that other processes can tell that it is being written (`Directory.isBeingWritten`) and do not
    /// remove it. A killed process holds no lock. Without a lock the file is still usable.
    private func lock() {
        guard tapline_lock_is_harmless(fd) == 1 else { return }
        // A process that tests the lock holds it for a moment.
        for _ in 0..<Self.attemptsToLock {
            guard flock(fd, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK else { return }
            usleep(200)
        }
    }

    deinit {
        let end = length.load(ordering: .relaxed)
        if preallocatedEnd.load(ordering: .relaxed) > end { _ = ftruncate(fd, off_t(end)) }
        _ = close(fd)
    }

    /// Appends the bytes from `start` on. Returns the number of bytes written, and the error that stopped it.
    public func append(_ bytes: OutputBuffer, from start: Int) -> (taken: Int, error: Errno?) {
        preallocate(for: bytes.count - start)
        var taken = start
        defer { length.add(taken - start, ordering: .relaxed) }
        while taken < bytes.count {
            let count = bytes.withBytes { span in
                span.extracting(taken...).withUnsafeBytes { memory in
                    Errno.retrying { write(fd, memory.baseAddress, memory.count) }
                }
            }
            guard count > 0 else { return (taken - start, count == 0 ? Errno(ENOSPC) : .current) }
            taken += count
        }
        return (taken - start, nil)
    }

    /// Truncates the file to a length and continues from there.
    public func cut(to length: Int) throws(Errno) {
        guard ftruncate(fd, off_t(length)) == 0, lseek(fd, off_t(length), SEEK_SET) >= 0 else { throw .current }
        self.length.store(length, ordering: .relaxed)
        // Truncating freed the preallocated space. It follows a failed write, so no more is preallocated.
        preallocatedEnd.store(0, ordering: .relaxed)
        preallocates.store(false, ordering: .relaxed)
    }

    private func preallocate(for count: Int) {
        let end = length.load(ordering: .relaxed)
        let reached = preallocatedEnd.load(ordering: .relaxed)
        guard end >= Self.preallocationThreshold, end + count > reached, preallocates.load(ordering: .relaxed) else {
            return
        }
        let from = max(end, reached)
        guard tapline_preallocate(fd, off_t(from), off_t(Self.preallocationStep)) == 0 else {
            return preallocates.store(false, ordering: .relaxed)
        }
        preallocatedEnd.store(from + Self.preallocationStep, ordering: .relaxed)
    }
}
