internal import Synchronization
internal import Text

/// When the upstream's command (`forward --exec`) was started, and how each run ended: the reason why a client that
/// waited for the upstream was not connected.
///
/// Written by the supervisor; any thread may read it.
public final class CommandHistory: Sendable {
    /// One run of the command.
    struct Run: Hashable, Sendable {
        /// The process id; nil if it could not be started.
        var process: Int32?
        /// Nanoseconds since 1970 UTC.
        var started: Int64
        /// The same; nil while it runs.
        var ended: Int64?
        /// How it ended, as a phrase that follows "it"; nil while it runs.
        var ending: String?
    }

    /// The most runs that are kept; the earliest are dropped. A client waits for a few.
    static let mostRuns = 64

    /// The command in messages: one short line.
    let command: String
    private let runs = Mutex<[Run]>([])
    private let clock: @Sendable () -> Int64

    /// No run yet.
    public convenience init(command: String) {
        self.init(command: command) { Timestamp.now.nanoseconds }
    }

    init(command: String, clock: @escaping @Sendable () -> Int64) {
        self.command = command
        self.clock = clock
    }

    /// The command was started as this process.
    public func started(_ process: Int32) {
        add(Run(process: process, started: clock()))
    }

    /// The command could not be started. `why`: a phrase that follows "it".
    public func failed(_ why: String) {
        let now = clock()
        add(Run(started: now, ended: now, ending: why))
    }

    /// The running command has ended. `how`: a phrase that follows "it".
    public func ended(_ how: String) {
        let now = clock()
        runs.withLock { runs in
            guard let last = runs.indices.last, runs[last].ended == nil else { return }
            runs[last].ended = now
            runs[last].ending = how
        }
    }

    private func add(_ run: Run) {
        runs.withLock { runs in
            runs.append(run)
            if runs.count > Self.mostRuns { runs.removeFirst() }
        }
    }

    /// The runs in a span of time, earliest first, as they were at its end; nanoseconds since 1970 UTC.
    func runs(from start: Int64, to end: Int64) -> [Run] {
        runs.withLock { $0 }.filter { $0.started <= end && $0.ended ?? .max >= start }.map { run in
            guard run.ended ?? 0 > end else { return run }
            return Run(process: run.process, started: run.started)
        }
    }
}
