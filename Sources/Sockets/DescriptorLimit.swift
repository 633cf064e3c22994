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

    /// How many are open now; counted from /proc, whose own descriptor is left out. Where none is free to look with, all
    /// are open. Where /proc is not mounted, each number up to `mostNumbers` is looked at: 20,000 of them take 1 ms.
    public static func inUse(listedIn folder: String = "/proc/self/fd") -> Int {
        guard let directory = opendir(folder) else {
            return errno == EMFILE ? limit(upTo: 1 << 24) : countByNumber()
        }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // Not counted: `.`, `..` and the directory's own.
        return max(0, count - 3)
    }

    /// The highest number that is looked at: more calls than this would hold up a start.
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
