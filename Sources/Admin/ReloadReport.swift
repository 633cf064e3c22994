public import Configuration
public import Text

/// The result of one reload.
public struct ReloadReport: Hashable, Sendable {
    /// The trigger of a reload.
    public enum Source: String, Hashable, Sendable {
        /// SIGHUP, a changed file, or the admin API.
        case signal, file, api
    }

    /// The outcome of a reload.
    public enum Result: String, Hashable, Sendable {
        /// In force; without a difference; or refused, with nothing changed.
        case applied, unchanged, rejected
    }

    /// When it ended.
    public var time: Timestamp
    /// The trigger.
    public var source: Source
    /// The outcome.
    public var result: Result
    /// The generation in force after it.
    public var generation: Int
    /// The duration in milliseconds.
    public var duration: UInt64
    /// One line for a person.
    public var summary: String
    /// What changed; nil if it was rejected.
    public var difference: ConfigurationDifference?
    /// The mistakes, if it was rejected.
    public var problems: [ConfigurationProblem]
    /// Whether it was not attempted because Tapline is stopping.
    public var isStopping: Bool
    /// Whether it was not attempted because another process is about to take over.
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
