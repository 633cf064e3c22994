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
    /// in the end exactly that.
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
        // The umask may have taken something off.
        if chmod(path, mode_t(mode)) != 0 { throw Errno.current }
        var facts = stat()
        if lstat(path, &facts) != 0 { throw Errno.current }
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

    /// The file of a listener that another process has bound and handed over, by the identity that this process tells of
    /// it; nil where the text is none.
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

    /// Which file it is, whatever its path leads to by now: `DEVICE:INODE`.
    public var identity: String { "\(device):\(inode)" }

    /// Gives the file another mode.
    public func change(mode: UInt16) throws(Errno) {
        if chmod(path, mode_t(mode)) != 0 { throw Errno.current }
    }

    /// Removes the file, if it is still the one that was made.
    public func remove() {
        var facts = stat()
        guard lstat(path, &facts) == 0, UInt64(facts.st_dev) == device, UInt64(facts.st_ino) == inode else { return }
        // Whoever removed it in between did what was wanted.
        _ = unlink(path)
    }
}
