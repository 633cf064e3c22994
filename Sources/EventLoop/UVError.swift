internal import CLibuv
public import Sockets

/// An error that libuv reported, with its symbol and its words.
public struct UVError: Error, Hashable, Sendable, CustomStringConvertible {
    /// libuv's code, below zero.
    public let code: CInt

    /// Wraps a code below zero.
    public init(code: CInt) {
        self.code = code
    }

    /// The symbol, for example `EADDRINUSE` or `EAI_NONAME`.
    public var name: String { String(cString: uv_err_name(code)) }

    /// libuv's words for it.
    public var description: String { String(cString: uv_strerror(code)) }

    /// The system's error number behind it; nil for libuv's own codes, as those of name lookups are.
    public var errno: Errno? { code > -3000 ? Errno(-code) : nil }

    /// Throws what a libuv call returned, when it is an error.
    static func check(_ result: CInt) throws(UVError) {
        guard result >= 0 else { throw UVError(code: result) }
    }
}
