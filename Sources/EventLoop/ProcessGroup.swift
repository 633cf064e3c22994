internal import Glibc

/// A process group, by the process ID of its leader. Its number stays taken until its last process is gone.
public struct ProcessGroup: Hashable, Sendable {
    /// The leader's process ID.
    public let id: Int32

    /// The group of a leader.
    public init(leader id: Int32) {
        self.id = id
    }

    /// Sends a signal to every process of the group.
    public func send(_ signal: Int32) {
        _ = kill(-id, signal)
    }

    /// Reaps the processes of the group that have ended and are children of this process: process 1 of a container, and
    /// a subreaper (prctl(2)), becomes the parent of processes whose own parent has ended. Only after the leader's end
    /// was reported, whose status this would discard.
    public func reap() {
        while waitpid(-id, nil, WNOHANG) > 0 {}
    }

    /// Whether no process of the group is left. A process that its parent has not reaped counts.
    public var isEmpty: Bool { kill(-id, 0) != 0 && errno == ESRCH }
}
