import Admin
import Configuration
import Text

extension ReloadOutcome {
    /// The outcome as the admin API reports it.
    func report(_ source: ReloadSource, generation: Int, milliseconds: UInt64, at time: Timestamp = .now)
        -> ReloadReport
    {
        var report = ReloadReport(
            time: time, source: source.reported, result: .applied, generation: generation, duration: milliseconds,
            summary: "", difference: nil)
        switch self {
        case .applied(let difference, _):
            report.summary = difference.words
            report.difference = difference
        case .unchanged(let difference, _):
            report.result = .unchanged
            report.summary = difference.words
            report.difference = difference
        case .rejected(let rejection):
            report.result = .rejected
            report.summary = rejection.words
            switch rejection {
            case .problems(let problems): report.problems = problems
            case .stopping: report.isStopping = true
            case .upgrading: report.isUpgrading = true
            }
        }
        return report
    }
}

extension ReloadSource {
    fileprivate var reported: ReloadReport.Source {
        switch self {
        case .signal: .signal
        case .file: .file
        case .api: .api
        }
    }
}
