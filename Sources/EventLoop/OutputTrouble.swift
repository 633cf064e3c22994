package import Sockets

/// A problem of a writer's output, or its end.
package enum OutputTrouble: Hashable, Sendable {
    /// A write failed. If the output may recover, its lines wait and the write is repeated; otherwise they are lost and
    /// counted. Reported once, until a write succeeds.
    case failed(Errno, mayRecover: Bool)
    /// The limit of pending items is reached; new ones are lost and counted. Reported once, until the writer has caught
    /// up.
    case full
    /// The output works again; this many items were lost meanwhile.
    case recovered(lost: Int)
    /// The writer ends; this many items were never written.
    case ended(lost: Int)

    /// The message: `items` names what is written, `output` the place.
    package func message(_ items: String, to output: String) -> String {
        switch self {
        case .failed(let error, mayRecover: true):
            "cannot write \(items) to \(output): \(error) (\(error.name)); they wait, and the write is retried"
        case .failed(let error, mayRecover: false):
            "cannot write \(items) to \(output): \(error) (\(error.name)); the relay continues without them"
        case .full: "\(output) is too slow for \(items): some are being lost"
        case .recovered(lost: 0): "\(output) accepts \(items) again, none were lost"
        case .recovered(let lost): "\(output) accepts \(items) again, \(lost) were lost"
        case .ended(let lost): "\(lost) \(items) were never written to \(output)"
        }
    }
}
