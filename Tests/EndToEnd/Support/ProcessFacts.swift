import Foundation

/// The kernel's facts about a process.
enum ProcessFacts {
    /// The open descriptors.
    static func descriptors(of pid: pid_t) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").sorted()
    }

    /// Private anonymous memory, bytes.
    static func privateMemory(of pid: pid_t) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
        guard let words = line?.split(whereSeparator: \.isWhitespace), words.count > 1, let kilobytes = Int(words[1])
        else { throw Failure("no RssAnon for process \(pid)") }
        return kilobytes * 1024
    }

    /// The CPU time of all threads.
    static func processorTime(of pid: pid_t) throws -> Duration {
        let stat = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        // The second field, the name, may contain spaces; the 14th and 15th are user and system time (proc(5)).
        let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
        guard fields.count > 13, let user = Int(fields[12]), let system = Int(fields[13]) else {
            throw Failure("no times for process \(pid)")
        }
        return .milliseconds((user + system) * 1000 / sysconf(CInt(_SC_CLK_TCK)))
    }

    /// The share of one core that it uses in a window of time.
    static func load(of pid: pid_t, over window: Duration) async throws -> Double {
        let clock = ContinuousClock()
        let (before, start) = (try processorTime(of: pid), clock.now)
        // The window of a measurement, and not a wait for an event.
        try await Task.sleep(for: window)
        return (try processorTime(of: pid) - before) / (clock.now - start)
    }
}
