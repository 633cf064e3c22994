internal import Glibc
internal import Sockets

/// What the system counts of this process.
public enum ProcessStats {
    /// Whether a sanitizer is built in: figures of memory and time are then its own.
    public static let isSanitized = dlsym(nil, "__asan_init") != nil || dlsym(nil, "__tsan_init") != nil

    /// Threads of this process by the beginning of their name, with the CPU time each has used, in nanoseconds
    /// (`schedstat`): exact, and blind to what other threads of the test do.
    public static func threads(named prefix: String) -> [String: UInt64] {
        guard let directory = opendir("/proc/self/task") else { return [:] }
        defer { closedir(directory) }
        var found: [String: UInt64] = [:]
        while let entry = readdir(directory) {
            let task = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard let name = SmallFile.read("/proc/self/task/\(task)/comm"), name.hasPrefix(prefix),
                let time = SmallFile.read("/proc/self/task/\(task)/schedstat")?.split(separator: " ").first
            else { continue }
            found[task] = UInt64(time) ?? 0
        }
        return found
    }

    /// What share of one core those threads use over a window in which nothing is to move. The best of three windows:
    /// work that is just ending is not a loop that spins.
    public static func busyShare(ofThreads prefix: String, window: Duration = .seconds(1)) -> Double {
        var best = Double.infinity
        for _ in 0..<3 {
            let before = threads(named: prefix).values.reduce(0, +)
            let start = Deadline.now
            Deadline.letPass(window)
            let used = threads(named: prefix).values.reduce(0, +) - before
            best = min(best, Double(used) / Double(Deadline.now - start))
            if best < 0.02 { break }
        }
        return best
    }

    /// The memory that belongs to this process alone and was written to, in bytes (`Private_Dirty`).
    public static func privateMemory() throws -> Int {
        guard let text = SmallFile.read("/proc/self/smaps_rollup"),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("Private_Dirty:") }),
            let kibibytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { throw TestFailure("no smaps_rollup") }
        return kibibytes * 1024
    }
}
