internal import CLinux
internal import Glibc

/// SIGINT and SIGTERM for a command that waits in one place: they end the wait and not the process. Owned by the thread
/// that waits.
public struct Interruption: ~Copyable {
    let fd: CInt

    /// Takes both signals over from now on, for this thread and those that it starts.
    public init() throws(SystemError) {
        fd = tapline_interrupt_descriptor()
        guard fd >= 0 else { throw SystemError("watch for signals", .current) }
    }

    deinit {
        _ = Glibc.close(fd)
    }

    /// Whether one came that was not taken yet; takes it.
    public func take() -> Bool {
        tapline_read_interrupt(fd) == 1
    }

    /// Waits for one. False when the time is over.
    public func wait(milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        return Errno.retrying { poll(&entry, 1, milliseconds) } > 0
    }
}
