internal import CLibuv
public import Sockets

/// An error code of libuv.
public struct UVError: Error, Hashable, Sendable, CustomStringConvertible {
    /// libuv's code, a negative number.
    public let code: CInt

    /// Wraps a negative code.
    public init(code: CInt) {
        self.code = code
    }

    /// The symbol, for example `EADDRINUSE` or `EAI_NONAME`.
    public var name: String { String(cString: uv_err_name(code)) }

    /// libuv's message.
    public var description: String { String(cString: uv_strerror(code)) }

    /// The system's error number; nil for libuv's own codes, such as those of name lookups.
    public var errno: Errno? { code > -3000 ? Errno(-code) : nil }
}
