internal import CLinux

/// The descriptors that a child of this process inherits: only the standard ones.
///
/// Tapline opens every descriptor with close-on-exec. SwiftNIO does not, for its epoll descriptor and accepted sockets,
/// so those are marked afterwards.
public enum Inheritance {
    /// Marks every open descriptor except the standard ones as closed on exec. Any thread. Before Linux 5.11
    /// (close_range(2)) this does nothing, without an error: the only program that Tapline starts, at an upgrade, gets
    /// only its intended descriptors anyway.
    public static func end() {
        _ = tapline_close_all_on_exec()
    }
}
