internal import Glibc

/// How many descriptors the process may hold.
public enum DescriptorLimit {
    /// Raises the limit as far as the system allows without privileges (getrlimit(2)), and returns it.
    public static func raise() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        if limit.rlim_cur < limit.rlim_max {
            let old = limit.rlim_cur
            limit.rlim_cur = limit.rlim_max
            if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) != 0 { limit.rlim_cur = old }
        }
        return Int(min(limit.rlim_cur, rlim_t(1 << 24)))
    }

    /// How many are open now; counted from /proc, whose own descriptor is left out. Where /proc is not mounted, each
    /// number up to the limit is looked at: 20,000 of them take 1 ms, and it is 1,024 in most places.
    public static func inUse(listedIn folder: String = "/proc/self/fd") -> Int {
        guard let directory = opendir(folder) else { return countByNumber() }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // Not counted: `.`, `..` and the directory's own.
        return max(0, count - 3)
    }

    /// The highest number that is looked at: more calls than this would hold up a start.
    private static let mostNumbers = 65_536

    private static func countByNumber() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 16 }
        return (0..<CInt(min(limit.rlim_cur, rlim_t(mostNumbers)))).count { fcntl($0, F_GETFD) >= 0 }
    }
}
