internal import CLinux
internal import Glibc
internal import Synchronization

/// A place that bytes are written to, in order: standard output, standard error, or a file that is appended to.
///
/// It owns its descriptor, except the two standard ones. Any thread may write, but bytes of two threads interleave, so one
/// thread writes. The call waits until the bytes are taken: never from a loop that carries
/// connections.
public final class OutputFile: Sendable {
    /// What to call it in a message: `standard output`, or the file's path.
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

    /// Opens a file to append to, and creates it with mode 0640 when it is missing. A FIFO without a reader is an
    /// error, and not a wait without an end. A path that names a descriptor of this process, such as `/dev/stdout`, is
    /// not opened: what is written goes to the descriptor itself.
    public convenience init(appendingTo path: String) throws(SystemError) {
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
        let fd = Errno.retrying { Glibc.open(path, flags, 0o640) }
        guard fd >= 0 else {
            let error = Errno.current
            throw SystemError(Self.attempt(path), error, advice: Self.advice(for: error, path), subject: .file(path))
        }
        self.init(fd: fd, name: path, isOwned: true)
    }

    /// What the error of a file that cannot be opened says was attempted.
    private static func attempt(_ path: String) -> String { "open \(path) for writing" }

    private static func advice(for error: Errno, _ path: String) -> String? {
        switch error.code {
        case ENOENT: "make its folder first"
        case ENXIO: isSocket(path) ? "it is a socket; name a file or a FIFO" : "start what reads it first"
        case EISDIR: "name a file in it"
        default: nil
        }
    }

    private static func isSocket(_ path: String) -> Bool {
        var facts = stat()
        return stat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFSOCK
    }

    /// Whether another process writes whole lines there too, so that what must stay together is written by itself. Any
    /// thread; it begins with false.
    public var isShared: Bool {
        get { sharing.load(ordering: .relaxed) }
        set { sharing.store(newValue, ordering: .relaxed) }
    }

    /// How many bytes stay together in a pipe that others write into too (pipe(7), `PIPE_BUF`).
    public static let unbrokenBytes = 4096

    /// Whether a terminal shows what is written.
    public var isTerminal: Bool { isatty(fd) == 1 }

    /// How many columns the terminal has that shows what is written; nil when there is none, or it does not say.
    public var columns: Int? {
        let columns = Int(tapline_terminal_columns(fd))
        return columns > 0 ? columns : nil
    }

    /// How many rows that terminal has; nil when there is none, or it does not say.
    public var rows: Int? {
        let rows = Int(tapline_terminal_rows(fd))
        return rows > 0 ? rows : nil
    }

    /// Writes everything from `offset` on, up to `end` if there is one, in as few calls as the system allows, and moves
    /// `offset` past what it took, also when it throws. The descriptor may be non-blocking, because it is shared with the
    /// processes that it was inherited from; the call then waits for room.
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

    private func waitForRoom() {
        var entry = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
        // Whatever it says, the next write says it better.
        _ = Errno.retrying { poll(&entry, 1, -1) }
    }

    /// Opens `/dev/null` in place of each standard descriptor that is closed: otherwise the first socket would take
    /// its number, and end records would go to the peer that is connected there. Once, before anything is opened.
    public static func fillStandardDescriptors() {
        for fd in STDIN_FILENO...STDERR_FILENO where fcntl(fd, F_GETFD) == -1 {
            // The lowest free number is this one. Without /dev/null there is nothing better to do.
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
