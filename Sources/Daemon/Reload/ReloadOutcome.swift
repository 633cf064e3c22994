import Configuration

/// The outcome of a request to reload.
enum ReloadOutcome: Hashable, Sendable {
    /// Another configuration is in force, with this generation.
    case applied(ConfigurationDifference, generation: Int)
    /// The file equals the configuration in force, except for settings that need a restart.
    case unchanged(ConfigurationDifference, generation: Int)
    /// Nothing has changed, for this reason.
    case rejected(ReloadRejection)
}
