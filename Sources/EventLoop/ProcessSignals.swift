internal import CLinux
internal import Glibc

/// The initial signal state of the process, independent of its parent: a new program inherits the mask of blocked
/// signals, the ignored signals and the children of the previous one (execve(2)).
public enum ProcessSignals {
    /// Unblocks every signal and reaps every child. To be called once, on the main thread, before other threads inherit
    /// the mask.
    ///
    /// A parent's thread that blocks signals (Swift's Dispatch, uWSGI, a JVM) passes its mask to the program that it
    /// starts; then SIGTERM would have no effect. Ignored signals, such as SIGHUP under nohup(1), stay ignored until
    /// watched.
    public static func prepare() {
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
        reapChildren()
    }

    /// Reaps every child that has exited; the kernel reaps the others when they exit (wait(2), SIGCHLD ignored).
    ///
    /// Process 1 of a container becomes the parent of every orphan in it, and `helper & exec tapline` in a shell leaves
    /// Tapline with the shell's children. A `ChildProcess` watches SIGCHLD, so SIGCHLD is not ignored meanwhile and the
    /// status of that child is not lost; afterwards this is called again.
    public static func reapChildren() {
        signal(SIGCHLD, SIG_IGN)
        while waitpid(-1, nil, WNOHANG) > 0 {}
    }
}
