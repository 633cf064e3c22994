internal import Glibc
internal import Sockets

/// Ends a process group when this process ends without having done so itself, e.g. by SIGKILL.
///
/// A shell reads from a pipe whose other end only this process has; the kernel closes that end with the process, and the
/// shell then sends SIGTERM to the group, and SIGKILL to what is left after ten seconds. PR_SET_PDEATHSIG would reach
/// only the leader, and posix_spawn cannot set it. Created, used and closed on the loop's thread.
public final class GroupGuard {
    /// Everything that a shell of POSIX has, and no more. `$1` is the group.
    private static let script = """
        read -r line
        kill -s TERM -- "-$1" 2>/dev/null
        n=0
        while [ "$n" -lt 10 ] && kill -s 0 -- "-$1" 2>/dev/null; do sleep 1; n=$((n + 1)); done
        kill -s KILL -- "-$1" 2>/dev/null
        """

    private var shell: ChildProcess?
    private var pipeEnd: Int32

    /// Starts to guard a group.
    public init(loop: EventLoop, group: ProcessGroup) throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw SystemError("open a pipe", Errno.current) }
        // A program that is started later would keep the pipe open.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        pipeEnd = ends[1]
        defer { Glibc.close(ends[0]) }
        do {
            shell = try ChildProcess(
                loop: loop, path: "/bin/sh", arguments: ["sh", "-c", Self.script, "sh", "\(group.id)"],
                environment: ["PATH": "/usr/bin:/bin"], descriptors: [],
                streams: .init(input: .descriptor(ends[0]), output: .null, error: .null), ownsGroup: true
            ) { [unowned self] _ in shell = nil }
        } catch {
            Glibc.close(pipeEnd)
            throw error
        }
    }

    /// The group has ended: from now on nothing is sent to it, because its number may belong to another group.
    public func close() {
        guard pipeEnd >= 0 else { return }
        // Before the pipe: SIGKILL ends the shell before it can read the end of the stream.
        shell?.send(SIGKILL)
        Glibc.close(pipeEnd)
        pipeEnd = -1
        shell?.close()
        shell = nil
    }
}
