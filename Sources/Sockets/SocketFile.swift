internal import CLinux
internal import Glibc

/// The file of a Unix listener, created by `bind` and identified by device and inode when it is removed.
///
/// A value; any thread.
public struct SocketFile: Hashable, Sendable {
    /// The path.
    public let path: String
    private let device: UInt64
    private let inode: UInt64

    /// Binds a socket to a path. A stale socket file, on which no process listens, is replaced; a live one is not
    /// (`EADDRINUSE`), nor is any other kind of file (`EEXIST`). The file's permissions never exceed `mode`, and
    /// finally equal it. If this throws, no file is left behind.
    public static func bind(_ socket: borrowing Socket, path: String, mode: UInt16) throws(Errno) -> SocketFile {
        // The kernel creates the file with the socket's own mode.
        _ = fchmod(socket.fd, mode_t(mode))
        do {
            try socket.bind(to: .unix(path: path), sharing: false)
        } catch {
            guard error.code == EADDRINUSE else { throw error }
            try removeStale(path)
            try socket.bind(to: .unix(path: path), sharing: false)
        }
        var facts = stat()
        // The umask may have cleared bits.
        guard chmod(path, mode_t(mode)) == 0, lstat(path, &facts) == 0 else {
            let error = Errno.current
            _ = unlink(path)
            throw error
        }
        return SocketFile(path: path, device: UInt64(facts.st_dev), inode: UInt64(facts.st_ino))
    }

    private static func removeStale(_ path: String) throws(Errno) {
        var facts = stat()
        guard lstat(path, &facts) == 0 else { throw Errno.current }
        guard facts.st_mode & S_IFMT == S_IFSOCK else { throw Errno(EEXIST) }
        let probe = try Socket(family: AF_UNIX)
        guard case .failed(let error) = probe.connect(to: .unix(path: path)), error.code == ECONNREFUSED else {
            throw Errno(EADDRINUSE)
        }
        if unlink(path) != 0 { throw Errno.current }
    }

    /// The file of a listener that another process bound and handed over, with the identity that it sent; nil if the
    /// text is not an identity.
    public init?(path: String, identity: String) {
        let numbers = identity.split(separator: ":", omittingEmptySubsequences: false).map { UInt64($0) }
        guard numbers.count == 2, let device = numbers[0], let inode = numbers[1] else { return nil }
        self.init(path: path, device: device, inode: inode)
    }

    private init(path: String, device: UInt64, inode: UInt64) {
        self.path = path
        self.device = device
        self.inode = inode
    }

    /// The same file under another path.
    func moved(to path: String) -> SocketFile { SocketFile(path: path, device: device, inode: inode) }

    /// Renames the file if the path still leads to it. An existing file of the new name is kept (`EEXIST`).
    func rename(to other: SocketFile) throws(Errno) {
        guard isAtPath else { throw Errno(ENOENT) }
        if tapline_rename_to_free_name(path, other.path) == 0 { return }
        // Some network file systems cannot do this atomically.
        guard errno == EINVAL else { throw Errno.current }
        var facts = stat()
        guard lstat(other.path, &facts) != 0 else { throw Errno(EEXIST) }
        if Glibc.rename(path, other.path) != 0 { throw Errno.current }
    }

    /// Whether the path still leads to this file.
    private var isAtPath: Bool {
        var facts = stat()
        return lstat(path, &facts) == 0 && UInt64(facts.st_dev) == device && UInt64(facts.st_ino) == inode
    }

    /// The identity of the file, independent of its path: `DEVICE:INODE`.
    public var identity: String { "\(device):\(inode)" }

    /// Changes the file's mode.
    public func change(mode: UInt16) throws(Errno) {
        if chmod(path, mode_t(mode)) != 0 { throw Errno.current }
    }

    /// Removes the file if the path still leads to it.
    public func remove() {
        guard isAtPath else { return }
        // If another process removes it in between, the result is the same.
        _ = unlink(path)
    }
}
