internal import CLinux
internal import Glibc

/// A descriptor for SIGINT and SIGTERM, so that they end a command's wait and not the process. Owned by that thread.
public struct Interruption: ~Copyable {
    let fd: CInt

    /// Blocks both signals for this thread and threads that it starts later.
    public init() throws(SystemError) {
        fd = tapline_interrupt_descriptor()
        guard fd >= 0 else { throw SystemError("watch for signals", .current) }
    }

    deinit {
        _ = Glibc.close(fd)
    }

    /// Consumes a pending signal; returns whether there was one.
    public func consumeSignal() -> Bool {
        tapline_read_interrupt(fd) == 1
    }

    /// Waits for a signal. False after the timeout.
    public func wait(milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        return Errno.retrying { poll(&entry, 1, milliseconds) } > 0
    }
}
