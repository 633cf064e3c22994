internal import Glibc

/// A blocking byte source: standard input or a file.
///
/// It owns the descriptor of a file and borrows standard input. One thread at a time, and never on the thread of a loop
/// that serves connections, because calls block.
public final class InputFile {
    /// The name in messages: `standard input`, or the file's path.
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

    /// Opens a file for reading. For a FIFO this waits until a writer opens it.
    public convenience init(path: String) throws(SystemError) {
        let fd = Errno.retrying { Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) }
        guard fd >= 0 else { throw SystemError("read \(path)", .current) }
        self.init(fd: fd, name: path, isOwned: true)
    }

    /// The next bytes, at most `limit`; empty at the end of the input or the present end of a file. Waits for input,
    /// also on a descriptor that another process made non-blocking.
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
        // The next read reports any error.
        _ = Errno.retrying { poll(&entry, 1, milliseconds) }
    }

    // MARK: Waiting

    /// Waits until a read would not block, or a signal interrupts. A regular file never blocks. True if a read is
    /// possible.
    public func waitForInput(or interruption: borrowing Interruption) -> Bool {
        var entries = [
            pollfd(fd: fd, events: Int16(POLLIN), revents: 0),
            pollfd(fd: interruption.fd, events: Int16(POLLIN), revents: 0),
        ]
        _ = Errno.retrying { poll(&entries, 2, -1) }
        return entries[1].revents == 0
    }

    // MARK: Identity

    /// The identity of a file, independent of its name.
    public struct Identity: Hashable, Sendable {
        private let device: UInt64
        private let inode: UInt64
        /// The size in bytes.
        public let size: UInt64
        /// Whether it is a regular file, which can grow and be read again; not a pipe, terminal or device.
        public let isRegular: Bool
        /// Whether it is a folder.
        public let isDirectory: Bool

        fileprivate init(_ status: stat) {
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
            size = UInt64(max(0, status.st_size))
            isRegular = status.st_mode & S_IFMT == S_IFREG
            isDirectory = status.st_mode & S_IFMT == S_IFDIR
        }

        /// Whether both are the same file.
        public func isSameFile(as other: Identity) -> Bool {
            device == other.device && inode == other.inode
        }
    }

    /// The identity of the open file.
    public var identity: Identity? {
        var status = stat()
        return fstat(fd, &status) == 0 ? Identity(status) : nil
    }

    /// The identity of the file at a path; nil if there is none.
    public static func identity(of path: String) -> Identity? {
        var status = stat()
        return stat(path, &status) == 0 ? Identity(status) : nil
    }
}
