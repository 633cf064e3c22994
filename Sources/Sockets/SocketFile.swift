internal import CLinux
internal import Glibc

/// The file of a Unix listener: made by `bind`, found again by its identity when it is time to remove it.
///
/// A value; any thread.
public struct SocketFile: Hashable, Sendable {
    /// Where it is.
    public let path: String
    private let device: UInt64
    private let inode: UInt64

    /// Binds a socket to a path. A socket file that no process answers on is replaced; one that answers is not
    /// (`EADDRINUSE`), and neither is any other kind of file (`EEXIST`). The file is never more open than `mode`, and
    /// in the end exactly that. When this throws, no file is left behind.
    public static func bind(_ socket: borrowing Socket, path: String, mode: UInt16) throws(Errno) -> SocketFile {
        // The kernel makes the file with the mode that the socket itself has.
        _ = fchmod(socket.fd, mode_t(mode))
        do {
            try socket.bind(to: .unix(path: path), sharing: false)
        } catch {
            guard error.code == EADDRINUSE else { throw error }
            try removeStale(path)
            try socket.bind(to: .unix(path: path), sharing: false)
        }
        var facts = stat()
        // The umask may have taken something off.
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

    /// The file of a listener that another process has bound and handed over, with the identity that the other process
    /// sent; nil if the text is no identity.
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

    /// Renames the file, if it is still the one that was made. A file that has the new name stays (`EEXIST`).
    func rename(to other: SocketFile) throws(Errno) {
        guard isThere else { throw Errno(ENOENT) }
        if tapline_rename_to_free_name(path, other.path) == 0 { return }
        // Some network file systems cannot do it in one step.
        guard errno == EINVAL else { throw Errno.current }
        var facts = stat()
        guard lstat(other.path, &facts) != 0 else { throw Errno(EEXIST) }
        if Glibc.rename(path, other.path) != 0 { throw Errno.current }
    }

    /// Whether its path still leads to it.
    private var isThere: Bool {
        var facts = stat()
        return lstat(path, &facts) == 0 && UInt64(facts.st_dev) == device && UInt64(facts.st_ino) == inode
    }

    /// Which file it is, whatever its path leads to by now: `DEVICE:INODE`.
    public var identity: String { "\(device):\(inode)" }

    /// Gives the file another mode.
    public func change(mode: UInt16) throws(Errno) {
        if chmod(path, mode_t(mode)) != 0 { throw Errno.current }
    }

    /// Removes the file, if it is still the one that was made.
    public func remove() {
        guard isThere else { return }
        // If another process removes it in between, the result is the same.
        _ = unlink(path)
    }
}
