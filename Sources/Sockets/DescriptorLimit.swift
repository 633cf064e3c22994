internal import Glibc

/// The process's limit of open descriptors.
public enum DescriptorLimit {
    /// Raises the soft limit to the hard limit (getrlimit(2)), and returns it.
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

    /// The number of open descriptors, from /proc, without the one used for reading it. If none is free for that, all
    /// are open. Without /proc, each number up to `mostNumbers` is tested: 20,000 take 1 ms.
    public static func inUse(listedIn folder: String = "/proc/self/fd") -> Int {
        guard let directory = opendir(folder) else {
            return errno == EMFILE ? limit(upTo: 1 << 24) : countByNumber()
        }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // Without `.`, `..` and the directory's own descriptor.
        return max(0, count - 3)
    }

    /// The highest number tested: more calls would delay the start.
    private static let mostNumbers = 65_536

    private static func countByNumber() -> Int {
        (0..<CInt(limit(upTo: mostNumbers))).count { fcntl($0, F_GETFD) >= 0 }
    }

    private static func limit(upTo most: Int) -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 16 }
        return Int(min(limit.rlim_cur, rlim_t(most)))
    }
}
