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

/// Why a configuration was rejected.
enum ReloadRejection: Error, Hashable, Sendable {
    /// Mistakes in the file, or operating-system errors, each with its place in the file where it has one.
    case problems([ConfigurationProblem])
    /// Tapline is stopping.
    case stopping
    /// Another process is about to take over, and reads the file itself.
    case upgrading

    /// On one line.
    var words: String {
        switch self {
        case .problems(let problems): problems.map(\.description).joined(separator: "; ")
        case .stopping: "tapline is stopping"
        case .upgrading: "an upgrade is under way; the process that takes over reads the file itself"
        }
    }
}

/// The source of a request to reload.
enum ReloadSource: String, Hashable, Sendable {
    /// The signal; it also reopens the access log.
    case signal = "SIGHUP"
    /// The file changed.
    case file
    /// The admin API.
    case api = "API"
}
