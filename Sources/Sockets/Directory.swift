internal import CLinux
internal import Glibc

/// An open directory: files are created and removed in it even if its path later leads elsewhere.
///
/// Owns its descriptor. Any thread.
public final class Directory: Sendable {
    /// The path as given; for messages.
    public let path: String
    private let fd: CInt

    /// Opens a directory; `creating`: and creates it (mode 0700) if only its last component is missing.
    public init(path: String, creating: Bool = true) throws(SystemError) {
        func open() -> CInt { Errno.retrying { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) } }
        var fd = open()
        if fd < 0, errno == ENOENT, creating {
            guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
                let error = Errno.current
                throw SystemError(
                    "create the directory \(path)", error,
                    advice: error.code == ENOENT
                        ? "create its parent directory first" : nil
                )
            }
            fd = open()
        }
        guard fd >= 0 else { throw SystemError("open the directory \(path)", .current) }
        self.fd = fd
        self.path = path
    }

    deinit {
        _ = close(fd)
    }

    /// Creates a new file with mode 0600. `EEXIST` if the name exists, also as a symbolic link, which is not followed.
    public func create(_ name: String) throws(Errno) -> RecordingFile {
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY
        let fd = Errno.retrying { tapline_openat(self.fd, name, flags, 0o600) }
        guard fd >= 0 else { throw .current }
        return RecordingFile(fd: fd, path: path.hasSuffix("/") ? path + name : path + "/" + name)
    }

    /// The names of the regular files in it; empty if it cannot be read.
    public func files() -> [String] {
        // Opened again, because duplicated descriptors share the position in the directory.
        let copy = Errno.retrying { tapline_openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) }
        guard copy >= 0 else { return [] }
        guard let stream = fdopendir(copy) else {
            _ = close(copy)
            return []
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            switch CInt(entry.pointee.d_type) {
            case CInt(DT_REG): names.append(name)
            case CInt(DT_UNKNOWN) where isPlainFile(name): names.append(name)
            default: break
            }
        }
        return names
    }

    /// For file systems that return DT_UNKNOWN.
    private func isPlainFile(_ name: String) -> Bool {
        var facts = stat()
        return fstatat(fd, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 && facts.st_mode & S_IFMT == S_IFREG
    }

    /// Whether this or another process still writes a file made by `create`, which locks it. False also if that is
    /// unknown: the file belongs to another user, or is on a network file system or one without locks.
    public func isBeingWritten(_ name: String) -> Bool {
        let flags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY
        let file = Errno.retrying { tapline_openat(fd, name, flags, 0) }
        // If it cannot be opened for lack of descriptors, for example, it counts as being written and is kept.
        guard file >= 0 else { return errno != EACCES && errno != ENOENT && errno != ELOOP }
        // Closing releases the lock if it was acquired.
        defer { _ = close(file) }
        return flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }

    /// Removes a file; a missing one is no error.
    public func remove(_ name: String) throws(Errno) {
        if unlinkat(fd, name, 0) != 0 && errno != ENOENT { throw .current }
    }
}
