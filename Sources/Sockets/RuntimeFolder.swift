internal import Glibc

/// The folder with the default admin sockets of one user's processes: one socket for each process, `PID.sock`. Only its
/// user can enter it.
///
/// It is `$XDG_RUNTIME_DIR/tapline` (XDG Base Directory Specification). Where the variable does not name a folder of the
/// user, as in a root shell or a container, it is `/run/user/UID/tapline`, and without that folder `/tmp/tapline-UID`.
/// The process that listens and the one that connects find it by this one rule.
///
/// A value; any thread.
public struct RuntimeFolder: Hashable, Sendable {
    /// Why the folder cannot be used. The description names the folder.
    public enum Refusal: Error, Hashable, Sendable {
        /// The path is a link, or not a folder.
        case notAFolder(String)
        /// Another user owns it.
        case foreign(String)
        /// Others may have access: the permissions are not 0700.
        case permissions(String, UInt32)
        /// It cannot be created or changed.
        case system(String, Errno)
    }

    /// The variable with the folder that contains it.
    public static let variable = "XDG_RUNTIME_DIR"
    private static let suffix = ".sock"

    /// The absolute path.
    public let path: String
    /// Whether every user can create files in its parent: then only a folder with exactly 0700 is accepted, because a
    /// folder with other permissions was not created by Tapline.
    private let isInSharedParent: Bool

    /// The folder in the value of the variable; nil unless that is the absolute path of a folder of this user.
    public init?(variable parent: String?) {
        guard let parent, parent.hasPrefix("/"), Self.refusal(parent) == nil else { return nil }
        self.init(in: parent)
    }

    private init(in parent: String) {
        path = parent + (parent.hasSuffix("/") ? "" : "/") + "tapline"
        isInSharedParent = false
    }

    private init(shared path: String) {
        self.path = path
        isInSharedParent = true
    }

    /// The folder of this user, which may not exist yet. `variable`: the value of the variable; the other parameters are
    /// for tests.
    public static func find(
        variable: String?, users: String = "/run/user", temporary: String = "/tmp"
    ) -> RuntimeFolder {
        if let folder = RuntimeFolder(variable: variable) { return folder }
        let own = "\(users)/\(geteuid())"
        // pam_systemd creates it with this mode.
        if refusal(own, exactly: 0o700) == nil { return RuntimeFolder(in: own) }
        return RuntimeFolder(shared: "\(temporary)/tapline-\(geteuid())")
    }

    /// Creates the folder with mode 0700 if it is missing.
    public func create() throws(Refusal) {
        if mkdir(path, 0o700) != 0, errno != EEXIST { throw .system(path, .current) }
        if let refusal { throw refusal }
        if !isInSharedParent, chmod(path, 0o700) != 0 { throw .system(path, .current) }
    }

    /// Why the folder cannot be used now.
    private var refusal: Refusal? { Self.refusal(path, exactly: isInSharedParent ? 0o700 : nil) }

    private static func refusal(_ path: String, exactly permissions: mode_t? = nil) -> Refusal? {
        var facts = stat()
        guard lstat(path, &facts) == 0 else { return .system(path, .current) }
        guard facts.st_mode & S_IFMT == S_IFDIR else { return .notAFolder(path) }
        guard facts.st_uid == geteuid() else { return .foreign(path) }
        let actual = facts.st_mode & 0o7777
        if let permissions, actual != permissions { return .permissions(path, actual) }
        return nil
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
        guard refusal == nil, let stream = opendir(path) else { return [] }
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

extension RuntimeFolder.Refusal: CustomStringConvertible {
    /// Such as `/tmp/tapline-1000 belongs to another user`.
    public var description: String {
        switch self {
        case .notAFolder(let path): "\(path) is a symbolic link or not a directory"
        case .foreign(let path): "\(path) belongs to another user"
        case .permissions(let path, let mode): "\(path) has the permissions 0\(String(mode, radix: 8)) instead of 0700"
        case .system(let path, let errno): "\(path): \(errno)"
        }
    }
}
