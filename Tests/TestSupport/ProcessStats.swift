internal import Glibc
internal import Sockets

/// The system's statistics of this process.
public enum ProcessStats {
    /// Whether a sanitizer is built in, which makes memory and time figures meaningless.
    public static let isSanitized = dlsym(nil, "__asan_init") != nil || dlsym(nil, "__tsan_init") != nil

    /// Threads whose names have a prefix, with the CPU time of each in nanoseconds (`schedstat`): exact, and
    /// independent of the test's other threads.
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

    /// The share of one core that those threads use in a window in which nothing should move. The best of three
    /// windows, because work that is just ending is not a spinning loop.
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

    /// Memory that belongs to this process alone and was written to, bytes (`Private_Dirty`).
    public static func privateMemory() throws -> Int {
        guard let text = SmallFile.read("/proc/self/smaps_rollup"),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("Private_Dirty:") }),
            let kibibytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { throw TestFailure("no smaps_rollup") }
        return kibibytes * 1024
    }
}
