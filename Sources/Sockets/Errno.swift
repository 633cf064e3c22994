internal import CLinux
public import Glibc

/// An error number of the system (errno(3)). A value; any thread.
@frozen
public struct Errno: Error, Hashable, Sendable {
    /// The number.
    public let code: CInt

    /// Wraps an error number.
    @inlinable
    public init(_ code: CInt) {
        self.code = code
    }

    /// Whether the disk is full or the quota is used up (`ENOSPC`, `EDQUOT`).
    public var isNoRoom: Bool { code == ENOSPC || code == EDQUOT }
    /// `ENOENT`.
    public static var missing: Errno { Errno(ENOENT) }
    /// `EEXIST`.
    public static var exists: Errno { Errno(EEXIST) }
    /// `EPROTO`.
    public static var protocolError: Errno { Errno(EPROTO) }
    /// `ETIMEDOUT`.
    public static var timedOut: Errno { Errno(ETIMEDOUT) }

    /// Whether it is `EPIPE`: the other end is closed.
    public var isBrokenPipe: Bool { code == EPIPE }

    /// The calling thread's `errno`; read it directly after the call that failed.
    @inlinable
    public static var current: Errno { Errno(errno) }

    /// The C symbol, for example `ECONNREFUSED`; `errno N` for a number unknown to the C library.
    public var name: String {
        guard let name = tapline_errno_name(code) else { return "errno \(code)" }
        return String(cString: name)
    }

    /// Repeats a system call while it fails with EINTR. The only place for that retry.
    @inline(__always)
    package static func retrying<Result: SignedInteger>(_ call: () -> Result) -> Result {
        while true {
            let result = call()
            if result != -1 || errno != EINTR { return result }
        }
    }
}

extension Errno: CustomStringConvertible {
    /// The C library's message, for example "Connection refused".
    public var description: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            guard let base = buffer.baseAddress, strerror_r(code, base, buffer.count) == 0 else { return name }
            return String(cString: base)
        }
    }
}
