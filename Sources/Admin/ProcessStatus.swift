public import Configuration
internal import Synchronization
public import Text

/// The state of the process. Written by the supervisor; any thread may read it.
public final class ProcessStatus: Sendable {
    /// The state at one moment.
    public struct Facts: Sendable {
        /// The configuration in force.
        public var configuration: Configuration
        /// The configuration's number; the first is 1.
        public var generation = 1
        /// Whether a drain has begun: no more clients are accepted.
        public var isDraining = false
        /// When the remaining connections are reset; nil while it is not draining.
        public var drainEnds: ContinuousClock.Instant?
        /// Whether another process has taken over.
        public var isReplaced = false
        /// The result of the last reload; nil before the first.
        public var lastReload: ReloadReport?
        /// Reloads that took effect.
        public var applied = 0
        /// Reloads without a difference.
        public var unchanged = 0
        /// Rejected reloads.
        public var rejected = 0
        /// When a configuration was last accepted, first at the start.
        public var lastSuccess: Timestamp
    }

    /// Where the settings come from: without a file, from the options of `tapline forward`.
    var settingsOrigin: StorySettings.Origin { path == nil ? .commandLine : .file }

    /// Tapline's version.
    public let version: String
    /// The configuration file; nil without one.
    public let path: String?
    /// The absolute folder in which relative paths of settings are resolved.
    public let directory: String
    /// The start of the process.
    public let started: Timestamp
    /// Whether this process took over from an older one, whose counters it does not continue.
    public let isSuccessor: Bool
    private let facts: Mutex<Facts>

    /// The state at the start.
    public init(
        version: String, path: String?, directory: String, configuration: Configuration, isSuccessor: Bool = false,
        started: Timestamp = .now
    ) {
        self.isSuccessor = isSuccessor
        self.version = version
        self.path = path
        self.directory = directory
        self.started = started
        facts = Mutex(Facts(configuration: configuration, lastSuccess: started))
    }

    /// The current state.
    public var now: Facts { facts.withLock { $0 } }

    /// Draining has begun, and ends within a time. `isReplaced`: another process has taken over.
    public func beginDraining(within bound: Duration, isReplaced: Bool = false) {
        facts.withLock { facts in
            facts.isDraining = true
            facts.drainEnds = .now + bound
            if isReplaced { facts.isReplaced = true }
        }
    }

    /// A reload has ended. `configuration` is in force now, unless nil.
    public func reloaded(_ report: ReloadReport, configuration: Configuration?) {
        facts.withLock { facts in
            facts.lastReload = report
            facts.generation = report.generation
            if let configuration { facts.configuration = configuration }
            switch report.result {
            case .applied: facts.applied += 1
            case .unchanged: facts.unchanged += 1
            case .rejected: facts.rejected += 1
            }
            if report.result != .rejected { facts.lastSuccess = report.time }
        }
    }
}
