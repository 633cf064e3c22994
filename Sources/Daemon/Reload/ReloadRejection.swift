import Configuration

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
        case .stopping: "Tapline is stopping"
        case .upgrading: "an upgrade is in progress; the new process reads the file itself"
        }
    }
}
