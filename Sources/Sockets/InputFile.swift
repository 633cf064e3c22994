internal import Glibc

/// A place that bytes are read from, in order: standard input, or a file.
///
/// It owns the descriptor of a file, and only borrows standard input. One thread at a time; calls wait for bytes, so never
/// from a loop that carries connections.
public final class InputFile {
    /// What to call it in a message: `standard input`, or the file's path.
    public let name: String
    private let fd: CInt
    private let isOwned: Bool

    private init(fd: CInt, name: String, isOwned: Bool) {
        self.fd = fd
        self.name = name
        self.isOwned = isOwned
    }

    deinit {
        if isOwned { _ = Glibc.close(fd) }
    }

    /// The process's standard input.
    public static var standardInput: InputFile {
        InputFile(fd: STDIN_FILENO, name: "standard input", isOwned: false)
    }

    /// Opens a file to read it. A FIFO waits until somebody writes to it.
    public convenience init(path: String) throws(SystemError) {
        let fd = Errno.retrying { Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) }
        guard fd >= 0 else { throw SystemError("read \(path)", .current) }
        self.init(fd: fd, name: path, isOwned: true)
    }

    /// The next bytes, at most so many; none at the end of the input, or of a file as it is now. Waits for bytes of a
    /// pipe, also of one that somebody made non-blocking.
    public func read(atMost limit: Int) throws(Errno) -> [UInt8] {
        while true {
            var failure: Errno?
            let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
                let result = Errno.retrying { Glibc.read(fd, buffer.baseAddress, limit) }
                if result < 0 { failure = .current }
                count = max(0, result)
            }
            guard let failure else { return bytes }
            guard failure.code == EAGAIN else { throw failure }
            wait(for: fd, milliseconds: -1)
        }
    }

    private func wait(for fd: CInt, milliseconds: CInt) {
        var entry = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        // Whatever it says, the next read says it better.
        _ = Errno.retrying { poll(&entry, 1, milliseconds) }
    }

    // MARK: Waiting

    /// Waits until a read does not wait (bytes, or the end), or somebody asks the process to end. A file never waits.
    /// True when there is something to read.
    public func waitForInput(or interruption: borrowing Interruption) -> Bool {
        var entries = [
            pollfd(fd: fd, events: Int16(POLLIN), revents: 0),
            pollfd(fd: interruption.fd, events: Int16(POLLIN), revents: 0),
        ]
        _ = Errno.retrying { poll(&entries, 2, -1) }
        return entries[1].revents == 0
    }

    // MARK: The file behind it

    /// Which file it is, whatever its name is by now.
    public struct Identity: Hashable, Sendable {
        private let device: UInt64
        private let inode: UInt64
        /// Its size in bytes.
        public let size: UInt64
        /// Whether it can grow and be read again: not a pipe, a terminal or a device.
        public let isRegular: Bool

        fileprivate init(_ status: stat) {
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
            size = UInt64(max(0, status.st_size))
            isRegular = status.st_mode & S_IFMT == S_IFREG
        }

        /// Whether both are the same file.
        public func isSameFile(as other: Identity) -> Bool {
            device == other.device && inode == other.inode
        }
    }

    /// The file that is open.
    public var identity: Identity? {
        var status = stat()
        return fstat(fd, &status) == 0 ? Identity(status) : nil
    }

    /// The file that has the name now; nil when there is none.
    public static func identity(of path: String) -> Identity? {
        var status = stat()
        return stat(path, &status) == 0 ? Identity(status) : nil
    }
}
