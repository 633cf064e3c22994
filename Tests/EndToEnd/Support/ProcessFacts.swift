import Foundation

/// What the kernel knows of a process.
enum ProcessFacts {
    /// The descriptors that are open.
    static func descriptors(of pid: pid_t) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").sorted()
    }

    /// Its private memory that no file stands behind, in bytes.
    static func privateMemory(of pid: pid_t) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
        guard let words = line?.split(whereSeparator: \.isWhitespace), words.count > 1, let kilobytes = Int(words[1])
        else { throw Failure("no RssAnon for process \(pid)") }
        return kilobytes * 1024
    }

    /// The processor time it has taken, of all threads.
    static func processorTime(of pid: pid_t) throws -> Duration {
        let stat = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        // The second field, the name, may contain spaces; the 14th and 15th are user and system time (proc(5)).
        let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
        guard fields.count > 13, let user = Int(fields[12]), let system = Int(fields[13]) else {
            throw Failure("no times for process \(pid)")
        }
        return .milliseconds((user + system) * 1000 / sysconf(CInt(_SC_CLK_TCK)))
    }

    /// What part of one core it takes while so much time passes.
    static func load(of pid: pid_t, over window: Duration) async throws -> Double {
        let clock = ContinuousClock()
        let (before, start) = (try processorTime(of: pid), clock.now)
        // Not a wait for something to happen: the window of a measurement.
        try await Task.sleep(for: window)
        return (try processorTime(of: pid) - before) / (clock.now - start)
    }
}
