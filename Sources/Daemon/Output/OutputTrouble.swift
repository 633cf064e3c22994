import Sockets

/// What a writer has to tell about its output.
enum OutputTrouble: Hashable, Sendable {
    /// A write failed. If the output may take bytes again, they wait and the write is tried again; otherwise what comes
    /// is lost and counted. Told once, until a write succeeds.
    case failed(Errno, mayRecover: Bool)
    /// As much waits as may wait; what comes now is lost and counted. Told once, until the writer has caught up.
    case full
    /// The output takes bytes again; so many items were lost in the meantime.
    case recovered(lost: Int)
    /// The writer ends, and so many items were never written.
    case ended(lost: Int)

    /// The line for a person: `items` names what is written, `output` where to.
    func message(_ items: String, to output: String) -> String {
        switch self {
        case .failed(let error, mayRecover: true):
            "cannot write \(items) to \(output): \(error) (\(error.name)); they wait, and the write is tried again"
        case .failed(let error, mayRecover: false):
            "cannot write \(items) to \(output): \(error) (\(error.name)); the relay goes on without them"
        case .full: "\(output) takes \(items) too slowly: too many wait, some are being lost"
        case .recovered(lost: 0): "\(output) takes \(items) again, none were lost"
        case .recovered(let lost): "\(output) takes \(items) again, \(lost) were lost"
        case .ended(let lost): "\(lost) \(items) were never written to \(output)"
        }
    }
}
