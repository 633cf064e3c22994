internal import CLinux
internal import Glibc

/// Paths that name a descriptor of this process, such as `/dev/stdout`.
///
/// They are not opened. A socket, such as standard output under the systemd journal, cannot be opened (ENXIO), a pipe
/// of another user must not be (EACCES), and a file opened again has a separate position.
extension OutputFile {
    /// The number of links that the system follows (path_resolution(7)).
    private static let mostLinks = 40

    /// The descriptor of this process that an absolute path names, through links; nil for other paths.
    public static func descriptor(namedBy path: String) -> CInt? {
        var path = path
        for _ in 0..<mostLinks {
            let parts = components(of: path)
            if let descriptor = descriptor(parts) { return descriptor }
            guard let target = target(ofLink: path) else { return nil }
            path = target.hasPrefix("/") ? target : "/" + (parts.dropLast() + [target]).joined(separator: "/")
        }
        return nil
    }

    private static func components(of path: String) -> [String] {
        var parts: [String] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(String(part)) }
        }
        return parts
    }

    private static func descriptor(_ parts: [String]) -> CInt? {
        switch parts {
        case ["dev", "stdin"]: return STDIN_FILENO
        case ["dev", "stdout"]: return STDOUT_FILENO
        case ["dev", "stderr"]: return STDERR_FILENO
        default: break
        }
        guard let last = parts.last, last.allSatisfy({ $0.isASCII && $0.isNumber }), let number = CInt(last) else {
            return nil
        }
        let own = ["self", "thread-self", "\(getpid())"].map { ["proc", $0, "fd"] }
        return ([["dev", "fd"]] + own).contains(Array(parts.dropLast())) ? number : nil
    }

    private static func target(ofLink path: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            guard let base = buffer.baseAddress else { return nil }
            let count = readlink(path, base, buffer.count)
            guard count > 0 else { return nil }
            return String(decoding: buffer[..<count].lazy.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    /// Duplicates an inherited descriptor. `EBADF` for a descriptor that Tapline opened itself, recognised by
    /// close-on-exec, and for one that is open only for reading.
    static func duplicate(inherited descriptor: CInt) throws(Errno) -> CInt {
        let flags = fcntl(descriptor, F_GETFD)
        let status = fcntl(descriptor, F_GETFL)
        guard flags >= 0, status >= 0 else { throw Errno.current }
        let isInherited = descriptor <= STDERR_FILENO || flags & FD_CLOEXEC == 0
        guard isInherited, status & O_ACCMODE != O_RDONLY else { throw Errno(EBADF) }
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { throw Errno.current }
        return copy
    }
}
