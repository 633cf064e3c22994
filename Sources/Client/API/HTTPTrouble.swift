import NIOCore
import NIOPosix
import Sockets
import Terminal

/// Why an exchange failed.
enum HTTPTrouble: Error, Hashable, Sendable {
    /// The connect failed.
    case connect(Errno)
    /// The name has no address.
    case name
    /// No answer in time.
    case timeout
    /// The connection ended in the middle of the answer.
    case cut
    /// The answer is not HTTP.
    case notHTTP
    /// The answer exceeds the bound.
    case tooLarge

    /// The error of a failed connect.
    init(connecting error: any Error) {
        switch error {
        case let error as NIOConnectionError:
            // Every address of a name failed; the last error is reported.
            if let last = error.connectionErrors.last {
                self.init(connecting: last.error)
            } else {
                self = .name
            }
        case let error as IOError: self = .connect(Errno(error.errnoCode))
        case ChannelError.connectTimeout: self = .timeout
        default: self = .name
        }
    }
}

extension HTTPTrouble {
    /// Whether the error of a connect means that no program listens at the address.
    static func nothingListens(_ errno: Errno) -> Bool { errno.code == ECONNREFUSED || errno.code == ENOENT }

    /// The command's message and exit status.
    func failure(_ target: AdminTarget) -> CommandFailure {
        let place = "\(target.address) (\(target.origin.words))"
        switch self {
        case .connect(let errno):
            switch errno.code {
            case _ where Self.nothingListens(errno):
                return CommandFailure(
                    .system,
                    "tapline: nothing listens at \(place): \(errno)\ntapline: is Tapline running, and was it started "
                        + "with --admin, or with `admin:` in its configuration? \(target.origin.advice)")
            case EACCES, EPERM:
                return CommandFailure(
                    .system,
                    "tapline: cannot connect to \(place): \(errno)\ntapline: only root and the user that Tapline runs as "
                        + "can open its admin socket")
            default:
                return CommandFailure(.system, "tapline: cannot connect to \(place): \(errno) (\(errno.name))")
            }
        case .name: return CommandFailure(.system, "tapline: the host name of \(place) cannot be resolved")
        case .timeout: return CommandFailure(.system, "tapline: no answer in time from \(place)")
        case .cut:
            return CommandFailure(.system, "tapline: \(place) closed the connection before its answer was complete")
        case .notHTTP:
            return CommandFailure(
                .failure,
                "tapline: the program at \(place) does not speak HTTP; is that the admin API's address, or a "
                    + "relay's?")
        case .tooLarge: return CommandFailure(.failure, "tapline: the answer is too large; use --limit")
        }
    }
}
