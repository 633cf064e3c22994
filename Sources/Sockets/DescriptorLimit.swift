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

    /// How many are open now; counted from /proc, whose own descriptor is left out.
    public static func inUse() -> Int {
        guard let directory = opendir("/proc/self/fd") else { return 16 }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // Not counted: `.`, `..` and the directory's own.
        return max(0, count - 3)
    }
}
