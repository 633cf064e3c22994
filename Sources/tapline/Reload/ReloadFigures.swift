import Synchronization
import Text

/// How reloads went so far, for metrics.
struct ReloadFigures: Hashable, Sendable {
    /// The configuration in force; the first is 1.
    var generation = 1
    /// How many came into force.
    var applied = 0
    /// How many said what was in force already.
    var unchanged = 0
    /// How many were rejected.
    var rejected = 0
    /// When the file was last found in order, by a reload or at the start: nanoseconds since 1970 UTC.
    var lastSuccess: Int64
}

/// Keeps the figures. The main thread counts, any thread reads.
final class ReloadLedger: Sendable {
    private let figures: Mutex<ReloadFigures>

    /// The start was the first success.
    init(started: Timestamp = .now) {
        figures = Mutex(ReloadFigures(lastSuccess: started.nanoseconds))
    }

    /// How it stands now.
    var now: ReloadFigures { figures.withLock { $0 } }

    /// Counts one reload.
    func count(_ outcome: ReloadOutcome, at time: Timestamp = .now) {
        figures.withLock { figures in
            switch outcome {
            case .applied(_, let generation):
                figures.generation = generation
                figures.applied += 1
                figures.lastSuccess = time.nanoseconds
            case .unchanged:
                figures.unchanged += 1
                figures.lastSuccess = time.nanoseconds
            case .rejected:
                figures.rejected += 1
            }
        }
    }
}
