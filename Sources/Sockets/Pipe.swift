internal import CLinux
internal import Glibc

/// A pipe through which the kernel splices bytes from one socket to another.
///
/// Owned by a flow or a pool, on one thread; `deinit` closes both ends.
public final class Pipe {
    /// The size that the kernel granted, bytes. Small segments fill the pipe's slots long before that.
    public let capacity: Int
    let readEnd: CInt
    let writeEnd: CInt

    /// Opens a pipe and requests a size. The kernel may grant less: an ordinary user's pipes share a limit (pipe(7),
    /// `pipe-user-pages-soft`), past which a pipe has 8 KiB.
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
