internal import Glibc
internal import Sockets

/// Why an address could not be connected, and which of several failures to report.
struct DialFailure: Hashable {
    let reason: EndReason
    let errno: Errno?
    let address: SocketAddress?

    /// The failure before any address was tried.
    static let nothingTried = DialFailure(reason: .connectUnreachable, errno: nil, address: nil)

    init(reason: EndReason, errno: Errno?, address: SocketAddress?) {
        self.reason = reason
        self.errno = errno
        self.address = address
    }

    /// No socket could be opened for the address.
    init(opening address: SocketAddress, _ error: Errno) {
        let reason: EndReason =
            switch error.code {
            case EMFILE, ENFILE, ENOBUFS, ENOMEM: .overLimit
            case EAFNOSUPPORT: .connectUnreachable
            default: .internalError
            }
        self.init(reason: reason, errno: error, address: address)
    }

    /// The interface of a link-local address was not found; the lookup needs a socket for a moment.
    init(lookingUpInterface error: Errno) {
        let isSpent = [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(error.code)
        self.init(reason: isSpent ? .overLimit : .connectUnreachable, errno: error, address: nil)
    }

    /// The connect failed. `localAddresses` is called only for EADDRNOTAVAIL.
    init(
        connecting address: SocketAddress, _ error: Errno,
        localAddresses: () -> Set<SocketAddress> = LocalAddresses.read
    ) {
        let reason: EndReason =
            switch error.code {
            case ECONNREFUSED: .connectRefused
            case ETIMEDOUT: .connectTimeout
            case EAGAIN: .noLocalPort
            case EADDRNOTAVAIL:
                // Reported if all ports are in use, and if there is no address of the family at all.
                Self.hasAddress(for: address, localAddresses()) ? .noLocalPort : .connectUnreachable
            case ENOBUFS, ENOMEM: .overLimit
            default: .connectUnreachable
            }
        self.init(reason: reason, errno: error, address: address)
    }

    private static func hasAddress(for address: SocketAddress, _ local: Set<SocketAddress>) -> Bool {
        local.contains { $0.family == address.family && $0.isLoopback == address.isLoopback }
    }

    /// Whether the name could not be resolved.
    var isOfName: Bool { reason == .nameNotFound || reason == .nameLookupFailed }

    /// Whether the upstream may only not be up yet: a later attempt can succeed without a change of the configuration.
    var mayPass: Bool {
        switch reason {
        case .connectRefused, .connectTimeout, .nameNotFound, .nameLookupFailed: true
        // A socket file that this user may not open, a path through a file, and a family that the kernel does not have
        // stay as they are.
        case .connectUnreachable: ![EACCES, EPERM, ENOTDIR, ELOOP, EAFNOSUPPORT].contains(errno?.code ?? 0)
        default: false
        }
    }

    /// The more informative failure: an answer comes before a timeout, a timeout before a missing route. Of two equals,
    /// the later.
    func orStronger(_ later: DialFailure) -> DialFailure {
        later.strength >= strength ? later : self
    }

    private var strength: Int {
        switch reason {
        case .loop: 6
        case .connectRefused: 5
        case .noLocalPort: 4
        case .overLimit: 3
        case .connectTimeout: 2
        case .connectUnreachable: address == nil ? 0 : 1
        default: 1
        }
    }
}
