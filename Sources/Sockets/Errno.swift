internal import CLinux
public import Glibc

/// An error number of the system, with the name that manual pages use for it.
///
/// A value type without storage of its own beyond the number; any thread may use it.
@frozen
public struct Errno: Error, Hashable, Sendable {
    /// The number, as `errno` held it.
    public let code: CInt

    /// Wraps a number that a system call left behind.
    @inlinable
    public init(_ code: CInt) {
        self.code = code
    }

    /// Whether a disk, or somebody's share of it, is full.
    public var isNoRoom: Bool { code == ENOSPC || code == EDQUOT }
    /// `ENOENT`.
    public static var missing: Errno { Errno(ENOENT) }
    /// `EEXIST`.
    public static var exists: Errno { Errno(EEXIST) }
    /// `ETIMEDOUT`.
    public static var timedOut: Errno { Errno(ETIMEDOUT) }

    /// Whether it is `EPIPE`: nobody reads the other end any more.
    public var isBrokenPipe: Bool { code == EPIPE }

    /// The calling thread's `errno`; read it directly after the call that failed.
    @inlinable
    public static var current: Errno { Errno(errno) }

    /// The C symbol, for example `ECONNREFUSED`; `errno N` for a number that the C library does not know.
    public var name: String {
        guard let name = tapline_errno_name(code) else { return "errno \(code)" }
        return String(cString: name)
    }

    /// Repeats a system call for as long as a signal interrupts it. The only place for that retry.
    @inline(__always)
    static func retrying<Result: SignedInteger>(_ call: () -> Result) -> Result {
        while true {
            let result = call()
            if result != -1 || errno != EINTR { return result }
        }
    }
}

extension Errno: CustomStringConvertible {
    /// What the C library says of the number, in words ("Connection refused").
    public var description: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            guard let base = buffer.baseAddress, strerror_r(code, base, buffer.count) == 0 else { return name }
            return String(cString: base)
        }
    }
}

/// A system call that failed, with what it was asked to do, for a person to read.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was tried, in words that finish "cannot …", for example `listen on 127.0.0.1:80`.
    public let attempt: String
    /// Why it failed.
    public let errno: Errno
    /// What the person can do about it, or nil where nothing is known.
    public let advice: String?
    /// What the attempt was about; nil where no setting of a configuration names it.
    public let subject: Subject?

    /// Describes a failed attempt.
    public init(_ attempt: String, _ errno: Errno, advice: String? = nil, subject: Subject? = nil) {
        self.attempt = attempt
        self.errno = errno
        self.advice = advice
        self.subject = subject
    }

    /// One line: what could not be done, why, and what to do.
    public var description: String {
        let line = "cannot \(attempt): \(errno) (\(errno.name))"
        guard let advice else { return line }
        return "\(line); \(advice)"
    }
}
