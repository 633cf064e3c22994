internal import Glibc
internal import Sockets

/// What an error of accept(2) means for a listener.
enum AcceptError: Hashable {
    /// The error belongs to a client that is gone already, or to its network: the next client is not affected.
    case ofOneClient
    /// The system is short of something that other programs give back: accept again soon.
    case ofResources
    /// The listener itself does not work, e.g. EINVAL after another process has shut the shared socket down, EBADF, ENOTSOCK,
    /// or EPERM by a security policy: accepting again at once fails again.
    case ofListener

    /// The errors that accept(2) names: pending network errors of the new socket "like EAGAIN by retrying" (section
    /// "Error handling"), and those of resources.
    init(_ error: Errno) {
        switch error.code {
        case ECONNABORTED, ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH,
            ETIMEDOUT:
            self = .ofOneClient
        case EMFILE, ENFILE, ENOBUFS, ENOMEM:
            self = .ofResources
        default:
            self = .ofListener
        }
    }
}
