internal import CLinux
internal import Glibc
internal import Synchronization

/// A file that grows at its end and can be cut back, owned by whoever writes it.
///
/// A file that grows fast gets room on its disk ahead of its end, where the file system gains by it; it is never seen
/// (`FALLOC_FL_KEEP_SIZE`) and is given back with the file. Only a killed process leaves that room with its file, until
/// the file is removed or cut.
///
/// Any thread, one at a time. A call may wait for the disk for as long as that takes: never on a thread that carries
/// connections.
public final class RecordingFile: Sendable {
    /// How much room is made at once, bytes.
    private static let step = 16 << 20
    /// How often a lock is asked for that somebody holds.
    private static let attemptsToLock = 50
    /// A file that is longer than this grows fast enough.
    private static let small = 2 << 20

    /// Where it was made, for messages.
    public let path: String
    private let fd: CInt
    private let length = Atomic<Int>(0)
    /// How far room was made on the disk; 0 where none was.
    private let reach = Atomic<Int>(0)
    private let makesRoom: Atomic<Bool>

    init(fd: CInt, path: String) {
        self.fd = fd
        self.path = path
        makesRoom = Atomic(tapline_gains_by_preallocation(fd) == 1)
        lock()
    }

    /// Tells whoever removes old files, in another process too, that this one is written (`Directory.isBeingWritten`). A
    /// killed process holds no lock. It is for that only: without a lock the file is made all the same.
    private func lock() {
        guard tapline_lock_is_harmless(fd) == 1 else { return }
        // Who looks whether it is locked holds it himself for a moment.
        for _ in 0..<Self.attemptsToLock {
            guard flock(fd, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK else { return }
            usleep(200)
        }
    }

    deinit {
        let end = length.load(ordering: .relaxed)
        if reach.load(ordering: .relaxed) > end { _ = ftruncate(fd, off_t(end)) }
        _ = close(fd)
    }

    /// Appends a range of bytes. Returns how many the system took, and the error that stopped it.
    public func append(_ bytes: OutputBuffer, from start: Int) -> (taken: Int, error: Errno?) {
        makeRoom(for: bytes.count - start)
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

    /// Cuts the file to a length, and goes on from there.
    public func cut(to length: Int) throws(Errno) {
        guard ftruncate(fd, off_t(length)) == 0, lseek(fd, off_t(length), SEEK_SET) >= 0 else { throw .current }
        self.length.store(length, ordering: .relaxed)
        // That gave back what was ahead; and where a write failed, none is to be taken ahead again.
        reach.store(0, ordering: .relaxed)
        makesRoom.store(false, ordering: .relaxed)
    }

    private func makeRoom(for count: Int) {
        let end = length.load(ordering: .relaxed)
        let reached = reach.load(ordering: .relaxed)
        guard end >= Self.small, end + count > reached, makesRoom.load(ordering: .relaxed) else { return }
        let from = max(end, reached)
        guard tapline_preallocate(fd, off_t(from), off_t(Self.step)) == 0 else {
            return makesRoom.store(false, ordering: .relaxed)
        }
        reach.store(from + Self.step, ordering: .relaxed)
    }
}
