import Configuration

/// What came of one wish to reload.
enum ReloadOutcome: Hashable, Sendable {
    /// Another configuration is in force, under this generation.
    case applied(ConfigurationDifference, generation: Int)
    /// The file says what is in force already, but perhaps for what only a restart can change.
    case unchanged(ConfigurationDifference, generation: Int)
    /// Nothing changed: this is what stands in the way.
    case rejected(ReloadRejection)
}

/// Why a configuration did not come into force.
enum ReloadRejection: Error, Hashable, Sendable {
    /// Mistakes in the file, or what the system refused, each with its place in the file where it has one.
    case problems([ConfigurationProblem])
    /// Tapline is stopping, and takes no other configuration.
    case stopping
    /// Another process is about to take this one's place, and reads the file itself.
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

/// Who asked for a reload.
enum ReloadSource: String, Hashable, Sendable {
    /// The signal; it also opens the access log anew.
    case signal = "SIGHUP"
    /// The file changed.
    case file
    /// The admin API.
    case api = "API"
}
