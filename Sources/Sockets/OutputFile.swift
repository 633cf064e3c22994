internal import CLinux
internal import Glibc
internal import Synchronization

/// A blocking byte sink: standard output, standard error, or a file opened for appending.
///
/// It owns its descriptor, except the two standard ones. Any thread may write, but the bytes of two threads interleave,
/// so one thread should write. Never on the thread of a loop that serves connections, because calls block.
public final class OutputFile: Sendable {
    /// The name in messages: `standard output`, or the file's path.
    public let name: String
    private let fd: CInt
    private let isOwned: Bool
    private let sharing = Atomic(false)

    private init(fd: CInt, name: String, isOwned: Bool) {
        self.fd = fd
        self.name = name
        self.isOwned = isOwned
    }

    deinit {
        if isOwned { _ = Glibc.close(fd) }
    }

    /// The process's standard output.
    public static let standardOutput = OutputFile(fd: STDOUT_FILENO, name: "standard output", isOwned: false)
    /// The process's standard error.
    public static let standardError = OutputFile(fd: STDERR_FILENO, name: "standard error", isOwned: false)

    /// Opens a file for appending, or creates it with this mode. A FIFO without a reader is an error, not an endless
    /// wait. A path that names a descriptor of this process, such as `/dev/stdout`, duplicates the descriptor.
    public convenience init(appendingTo path: String, mode: UInt16 = 0o640) throws(SystemError) {
        if let descriptor = Self.descriptor(namedBy: path) {
            do {
                self.init(fd: try Self.duplicate(inherited: descriptor), name: path, isOwned: true)
            } catch {
                throw SystemError(
                    Self.attempt(path), error,
                    advice: error.code == EBADF ? "start tapline with descriptor \(descriptor) open for writing" : nil,
                    subject: .file(path))
            }
            return
        }
        let flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK
        let fd = Errno.retrying { Glibc.open(path, flags, mode_t(mode)) }
        guard fd >= 0 else {
            let error = Errno.current
            throw SystemError(Self.attempt(path), error, advice: Self.advice(for: error, path), subject: .file(path))
        }
        self.init(fd: fd, name: path, isOwned: true)
    }

    /// The attempt in the error for a file that cannot be opened.
    private static func attempt(_ path: String) -> String { "open \(path) for writing" }

    private static func advice(for error: Errno, _ path: String) -> String? {
        switch error.code {
        case ENOENT: "create its directory first"
        case ENXIO: isSocket(path) ? "it is a socket; name a file or a FIFO" : "start its reader first"
        case EISDIR: "name a file in it"
        default: nil
        }
    }

    private static func isSocket(_ path: String) -> Bool {
        var facts = stat()
        return stat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFSOCK
    }

    /// Whether another process also writes lines there, so that each line must be written with one call. Any thread.
    public var isShared: Bool {
        get { sharing.load(ordering: .relaxed) }
        set { sharing.store(newValue, ordering: .relaxed) }
    }

    /// The size up to which a write to a pipe is atomic (pipe(7), `PIPE_BUF`).
    public static let unbrokenBytes = 4096

    /// Whether it is a terminal.
    public var isTerminal: Bool { isatty(fd) == 1 }

    /// Whether both lead to the same file, pipe or terminal, as after `2>&1`. False if unknown.
    public func isSameFile(as other: OutputFile) -> Bool {
        var (own, others) = (stat(), stat())
        guard fstat(fd, &own) == 0, fstat(other.fd, &others) == 0 else { return false }
        return own.st_dev == others.st_dev && own.st_ino == others.st_ino
    }

    /// The columns of the terminal; nil if unknown or not a terminal.
    public var columns: Int? {
        let columns = Int(tapline_terminal_columns(fd))
        return columns > 0 ? columns : nil
    }

    /// The rows of the terminal; nil if unknown or not a terminal.
    public var rows: Int? {
        let rows = Int(tapline_terminal_rows(fd))
        return rows > 0 ? rows : nil
    }

    /// Writes everything from `offset` to `end` (nil: the last byte) in as few calls as possible, and advances `offset`
    /// past the written bytes, also if it throws. The descriptor may be non-blocking, because other processes share it;
    /// then the call waits for room.
    public func write(_ bytes: [UInt8], from offset: inout Int, to end: Int? = nil) throws(Errno) {
        let end = end ?? bytes.count
        precondition(offset >= 0 && offset <= end && end <= bytes.count)
        var position = offset
        defer { offset = position }
        let failure = bytes.withUnsafeBytes { memory -> Errno? in
            while position < end {
                let count = Errno.retrying {
                    Glibc.write(fd, memory.baseAddress.map { $0 + position }, end - position)
                }
                if count >= 0 {
                    position += count
                } else if errno == EAGAIN {
                    waitForRoom()
                } else {
                    return .current
                }
            }
            return nil
        }
        if let failure { throw failure }
    }

    /// Writes everything with one call, which does not wait for room. Throws if not everything was written: EAGAIN if
    /// there is no room, or too little.
    public func writeAtOnce(_ bytes: [UInt8]) throws(Errno) {
        let count = bytes.withUnsafeBytes { memory in
            Errno.retrying { Glibc.write(fd, memory.baseAddress, memory.count) }
        }
        guard count == bytes.count else { throw count < 0 ? .current : Errno(EAGAIN) }
    }

    private func waitForRoom() {
        var entry = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
        // The next write reports any error.
        _ = Errno.retrying { poll(&entry, 1, -1) }
    }

    /// Opens `/dev/null` in place of each closed standard descriptor: otherwise the first socket would get its number,
    /// and end records would be sent to that socket's peer. To be called once, before anything is opened.
    public static func fillStandardDescriptors() {
        for fd in STDIN_FILENO...STDERR_FILENO where fcntl(fd, F_GETFD) == -1 {
            // open returns the lowest free number, which is this one. Without /dev/null it stays closed.
            _ = Glibc.open("/dev/null", O_RDWR)
        }
    }
}

extension Array where Element == UInt8 {
    /// A copy of lent bytes.
    public init(copying span: RawSpan) {
        self = span.withUnsafeBytes { Array($0) }
    }
}
