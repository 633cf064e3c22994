import Foundation
import TestSupport

/// Stops a process in the middle of its work, as a debugger does.
enum StoppedProcess {
    /// Sends SIGSTOP and waits until every thread has stopped. A running thread may still accept a connection before it
    /// stops, for some time on a loaded machine.
    static func stop(_ pid: pid_t) async throws {
        guard kill(pid, SIGSTOP) == 0 else { throw Failure("process \(pid) cannot be stopped: errno \(errno)") }
        let deadline = ContinuousClock.now + .seconds(60)
        while try !hasStopped(pid) {
            guard ContinuousClock.now < deadline else { throw Failure("process \(pid) does not stop") }
            // There is no event for it: only the parent is notified, and that may be another process.
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    private static func hasStopped(_ pid: pid_t) throws -> Bool {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task").allSatisfy { thread in
            // A thread that has ended since the listing is stopped for good.
            guard let stat = try? String(contentsOfFile: "/proc/\(pid)/task/\(thread)/stat", encoding: .utf8) else {
                return true
            }
            // The state follows the name, which may contain anything (proc(5)).
            return stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].hasPrefix(") T")
        }
    }
}
