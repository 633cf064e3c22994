internal import Glibc

/// The folder with the default admin sockets of one user's processes, `$XDG_RUNTIME_DIR/tapline`: one socket for each
/// process, `PID.sock`. Only its user can enter it (XDG Base Directory Specification).
///
/// A value; any thread.
public struct RuntimeFolder: Hashable, Sendable {
    /// The variable with the folder that contains it.
    public static let variable = "XDG_RUNTIME_DIR"
    private static let suffix = ".sock"

    /// The absolute path.
    public let path: String

    /// The folder in the value of the variable; nil unless that is the absolute path of a folder of this user.
    public init?(variable parent: String?) {
        guard let parent, parent.hasPrefix("/"), Self.isOwnFolder(parent) else { return nil }
        path = parent + (parent.hasSuffix("/") ? "" : "/") + "tapline"
    }

    /// Creates the folder with mode 0700 if it is missing. Throws where it belongs to another user or is no folder.
    public func create() throws(Errno) {
        if mkdir(path, 0o700) != 0, errno != EEXIST { throw .current }
        guard Self.isOwnFolder(path) else { throw Errno(EPERM) }
        if chmod(path, 0o700) != 0 { throw .current }
    }

    private static func isOwnFolder(_ path: String) -> Bool {
        var facts = stat()
        return lstat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFDIR && facts.st_uid == geteuid()
    }

    /// The path of a process's socket.
    public func socket(ofProcess id: Int32) -> String { "\(path)/\(id)\(Self.suffix)" }

    /// Whether a path is one of a socket in this folder.
    public func contains(_ socket: String) -> Bool {
        socket.hasPrefix(path + "/") && socket.hasSuffix(Self.suffix)
    }

    /// The paths of sockets on which a process listens, in the order of their names. Files of ended processes are
    /// removed.
    public func liveSockets() -> [String] {
        names.sorted { ($0.count, $0) < ($1.count, $1) }
            .filter { isLive($0) }.map { "\(path)/\($0)" }
    }

    /// Removes the files of ended processes, without connecting to those of running ones.
    public func removeStale() {
        // The socket of an ended process may be served by its successor.
        for name in names where hasEnded(name) { _ = isLive(name) }
    }

    /// Whether the process that a socket is named after has ended.
    private func hasEnded(_ name: String) -> Bool {
        guard let id = Int32(name.dropLast(Self.suffix.count)) else { return false }
        return kill(id, 0) != 0 && errno == ESRCH
    }

    private var names: [String] {
        guard Self.isOwnFolder(path), let stream = opendir(path) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasSuffix(Self.suffix), Int32(name.dropLast(Self.suffix.count)) != nil { names.append(name) }
        }
        return names
    }

    /// Whether a process listens on the socket. If none does, and the process that it is named after has ended, the file
    /// is removed: a process that starts has bound its socket a moment before it listens.
    private func isLive(_ name: String) -> Bool {
        let path = "\(path)/\(name)"
        var facts = stat()
        guard lstat(path, &facts) == 0, facts.st_mode & S_IFMT == S_IFSOCK,
            let probe = try? Socket(family: AF_UNIX)
        else { return false }
        guard case .failed(let error) = probe.connect(to: .unix(path: path)) else { return true }
        if error.code == ECONNREFUSED, hasEnded(name) { _ = unlink(path) }
        return error.code == EAGAIN
    }
}
