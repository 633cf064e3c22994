internal import CLinux
internal import Glibc

/// The signals of the process as a command needs them, whatever its parent has set: a new program inherits the mask of
/// blocked signals, the ignored signals and the children of the one before it (execve(2)).
public enum ProcessSignals {
    /// Unblocks every signal and reaps every child. Once, on the main thread, before there are others, which inherit
    /// the mask.
    ///
    /// A parent's thread that blocks signals for itself (Swift's Dispatch, uWSGI, a JVM) hands its mask to the program
    /// that it starts; then SIGTERM would have no effect. What is ignored stays ignored until it is watched:
    /// nohup(1) sets SIGHUP so.
    public static func prepare() {
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
        reapChildren()
    }

    /// Reaps every child that has ended, and has the kernel reap the others when they end (wait(2), SIGCHLD ignored).
    ///
    /// Process 1 of a container becomes the parent of every orphan in it, and a program that a shell has executed in its
    /// own place (`helper & exec tapline`) has the shell's children. A `ChildProcess` watches SIGCHLD, which ends the
    /// ignoring, so the status of a child that Tapline waits for is never lost; afterwards this is called again.
    public static func reapChildren() {
        signal(SIGCHLD, SIG_IGN)
        while waitpid(-1, nil, WNOHANG) > 0 {}
    }
}
