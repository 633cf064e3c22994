internal import Glibc
internal import Sockets

/// The meaning of an accept(2) error for a listener.
enum AcceptError: Hashable {
    /// The error belongs to a client that is already gone, or to its network: the next client is not affected.
    case ofOneClient
    /// The system lacks a resource that other programs will free: accept again soon.
    case ofResources
    /// The listener itself does not work, e.g. EINVAL after another process has shut down the shared socket, EBADF,
    /// ENOTSOCK, or EPERM by a security policy: accepting again at once would fail again.
    case ofListener

    /// Classifies the errors of accept(2): pending network errors of the new socket, to be treated "like EAGAIN by
    /// retrying" (section "Error handling"), and those of resources.
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
