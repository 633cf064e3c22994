public import Configuration
internal import Synchronization
public import Text

/// What is true of the process as a whole. The supervisor writes it, any thread reads it.
public final class Standing: Sendable {
    /// All of it at one moment.
    public struct Facts: Sendable {
        /// The configuration in force.
        public var configuration: Configuration
        /// Its number; the first is 1.
        public var generation = 1
        /// No more clients are accepted.
        public var isDraining = false
        /// What the last reload came to; nil before the first.
        public var lastReload: ReloadReport?
        /// How many reloads came into force.
        public var applied = 0
        /// How many said what was in force already.
        public var unchanged = 0
        /// How many were rejected.
        public var rejected = 0
        /// When a configuration was last found in order, the first at the start.
        public var lastSuccess: Timestamp
    }

    /// Tapline's version.
    public let version: String
    /// The configuration file; nil without one.
    public let path: String?
    /// The folder that relative paths of settings begin at; absolute.
    public let directory: String
    /// When it started.
    public let started: Timestamp
    private let facts: Mutex<Facts>

    /// How it stands at the start.
    public init(
        version: String, path: String?, directory: String, configuration: Configuration, started: Timestamp = .now
    ) {
        self.version = version
        self.path = path
        self.directory = directory
        self.started = started
        facts = Mutex(Facts(configuration: configuration, lastSuccess: started))
    }

    /// How it stands now.
    public var now: Facts { facts.withLock { $0 } }

    /// Draining has begun.
    public func beginDraining() {
        facts.withLock { $0.isDraining = true }
    }

    /// A reload is done. With `configuration` that one is in force now.
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

/// What came of one reload, for those who ask and those who listen.
public struct ReloadReport: Hashable, Sendable {
    /// Who asked for it.
    public enum Source: String, Hashable, Sendable {
        /// SIGHUP, the file that changed, or this API.
        case signal, file, api
    }

    /// What it came to.
    public enum Result: String, Hashable, Sendable {
        /// In force, the same as before, or refused with everything as it was.
        case applied, unchanged, rejected
    }

    /// When it was done.
    public var time: Timestamp
    /// Who asked for it.
    public var source: Source
    /// What it came to.
    public var result: Result
    /// The generation in force after it.
    public var generation: Int
    /// How long it took, milliseconds.
    public var duration: UInt64
    /// One line for a person.
    public var summary: String
    /// What changed; nil where it was rejected.
    public var difference: ConfigurationDifference?
    /// What stands in the way, where it was rejected.
    public var problems: [ConfigurationProblem]
    /// It was not even tried, because Tapline is stopping.
    public var isStopping: Bool
    /// It was not even tried, because another process is about to take over.
    public var isUpgrading = false

    /// A report.
    public init(
        time: Timestamp, source: Source, result: Result, generation: Int, duration: UInt64, summary: String,
        difference: ConfigurationDifference?, problems: [ConfigurationProblem] = [], isStopping: Bool = false
    ) {
        self.time = time
        self.source = source
        self.result = result
        self.generation = generation
        self.duration = duration
        self.summary = summary
        self.difference = difference
        self.problems = problems
        self.isStopping = isStopping
    }
}
