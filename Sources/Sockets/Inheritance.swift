internal import CLinux

/// What a child of this process would inherit: nothing but its standard descriptors.
///
/// Every descriptor of ours is opened that way. Those of others are marked afterwards: SwiftNIO opens its epoll
/// descriptor and accepts its sockets without.
public enum Inheritance {
    /// Marks every descriptor that is open now as closed on exec, standard ones left out. Any thread. Before Linux 5.11
    /// (close_range(2)) it does nothing, and nobody is told: the one program that is started here, at an upgrade, gets
    /// none but those that are meant for it anyway.
    public static func end() {
        _ = tapline_close_all_on_exec()
    }
}
