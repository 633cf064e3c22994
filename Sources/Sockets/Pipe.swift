internal import CLinux
internal import Glibc

/// A pipe in the kernel that bytes pass through on their way from one socket to another.
///
/// Held by one owner, a flow or a pool, on one thread; both ends are closed when it lets go.
public final class Pipe {
    /// How many bytes it holds, as the kernel granted; small segments fill its slots long before.
    public let capacity: Int
    let readEnd: CInt
    let writeEnd: CInt

    /// Opens a pipe and asks for a size. The kernel may grant less: an ordinary user's pipes together are bounded
    /// (pipe(7), `pipe-user-pages-soft`), and past that bound a pipe is as small as 8 KiB.
    public init(asking size: Int) throws(Errno) {
        let ends = withUnsafeTemporaryAllocation(of: CInt.self, capacity: 2) { ends -> (CInt, CInt)? in
            guard let base = ends.baseAddress, tapline_pipe(base) == 0 else { return nil }
            return (base[0], base[1])
        }
        guard let ends else { throw Errno.current }
        (readEnd, writeEnd) = ends
        if size > 65536 { _ = tapline_set_pipe_size(writeEnd, CInt(size)) }
        capacity = Int(max(0, tapline_pipe_size(writeEnd)))
    }

    deinit {
        _ = Glibc.close(readEnd)
        _ = Glibc.close(writeEnd)
    }
}
