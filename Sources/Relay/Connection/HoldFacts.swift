public import Sockets

/// How a client was held until its upstream was up (`timeouts.wait`). Immutable; a reference, so that records of other
/// connections stay small. Any thread.
public final class HoldFacts: Hashable, Sendable {
    /// Milliseconds from the first attempt to the one that succeeded, to the end of the connection, or until now.
    public let held: UInt64
    /// The longest wait, milliseconds.
    public let limit: UInt64
    /// Failed attempts.
    public let failures: UInt64
    /// Why the last of them failed.
    public let reason: EndReason
    /// Its error number; nil without one.
    public let errno: Errno?
    /// An attempt has succeeded.
    public let isConnected: Bool

    /// A wait.
    public init(
        held: UInt64, limit: UInt64, failures: UInt64, reason: EndReason, errno: Errno?, isConnected: Bool = false
    ) {
        self.held = held
        self.limit = limit
        self.failures = failures
        self.reason = reason
        self.errno = errno
        self.isConnected = isConnected
    }

    /// Equal if every fact is.
    public static func == (left: HoldFacts, right: HoldFacts) -> Bool {
        left === right
            || (left.held, left.limit, left.failures, left.reason, left.errno, left.isConnected)
                == (right.held, right.limit, right.failures, right.reason, right.errno, right.isConnected)
    }

    /// Hashes every fact.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(held)
        hasher.combine(limit)
        hasher.combine(failures)
        hasher.combine(reason)
        hasher.combine(errno)
        hasher.combine(isConnected)
    }
}
