internal import CLinux
internal import Glibc

/// A directory that is held open: files are made and removed in it whatever its path comes to lead to.
///
/// It owns its descriptor. Any thread.
public final class Directory: Sendable {
    /// Its path as it was given, for messages.
    public let path: String
    private let fd: CInt

    /// Opens a directory, and makes it (mode 0700) when only its last part is missing.
    public init(path: String) throws(SystemError) {
        func open() -> CInt { Errno.retrying { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) } }
        var fd = open()
        if fd < 0, errno == ENOENT {
            guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
                let error = Errno.current
                throw SystemError(
                    "make the folder \(path)", error, advice: error.code == ENOENT ? "make the one above it first" : nil
                )
            }
            fd = open()
        }
        guard fd >= 0 else { throw SystemError("open the folder \(path)", .current) }
        self.fd = fd
        self.path = path
    }

    deinit {
        _ = close(fd)
    }

    /// Makes a file that is not there yet, readable by its owner only from birth, and never through a symbolic link
    /// (`EEXIST` for one, as for any file of that name).
    public func create(_ name: String) throws(Errno) -> RecordingFile {
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY
        let fd = Errno.retrying { tapline_openat(self.fd, name, flags, 0o600) }
        guard fd >= 0 else { throw .current }
        return RecordingFile(fd: fd, path: path == "/" ? "/" + name : path + "/" + name)
    }

    /// The names of the plain files in it. Empty when it cannot be read.
    public func files() -> [String] {
        // A descriptor of its own: the position in the directory belongs to the open file, not to the descriptor.
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

    /// Some file systems do not tell the kind with the name.
    private func isPlainFile(_ name: String) -> Bool {
        var facts = stat()
        return fstatat(fd, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 && facts.st_mode & S_IFMT == S_IFREG
    }

    /// Whether somebody still writes a file that `create` has made: this process or another one. False also where that
    /// cannot be found out, because the file is another user's or its file system is a network's or knows no locks.
    public func isBeingWritten(_ name: String) -> Bool {
        let flags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY
        let file = Errno.retrying { tapline_openat(fd, name, flags, 0) }
        // Without a descriptor nobody knows, and what may be written stays.
        guard file >= 0 else { return errno != EACCES && errno != ENOENT && errno != ELOOP }
        // Closing gives back a lock that was free.
        defer { _ = close(file) }
        return flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }

    /// Removes a file. Returns whether it is gone.
    public func remove(_ name: String) throws(Errno) {
        if unlinkat(fd, name, 0) != 0 && errno != ENOENT { throw .current }
    }
}
