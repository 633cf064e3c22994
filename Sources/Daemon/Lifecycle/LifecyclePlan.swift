/// When a relay at a desk starts its upstream, and when it ends by itself.
package struct LifecyclePlan: Hashable, Sendable {
    /// The upstream's command, for `/bin/sh -c`, started when a client finds that the upstream is not up; nil: none.
    package var command: String?
    /// How long no connection may be open before the command is stopped; zero: it is not.
    package var idleStop: Duration
    /// Only one connection is accepted, and its end is that of the process.
    package var isOnce: Bool
    /// How long no connection may be open before the process ends; zero: it does not.
    package var exitIdle: Duration

    /// By default, nothing of this.
    package init(
        command: String? = nil, idleStop: Duration = .zero, isOnce: Bool = false, exitIdle: Duration = .zero
    ) {
        self.command = command
        self.idleStop = idleStop
        self.isOnce = isOnce
        self.exitIdle = exitIdle
    }

    /// There is something to watch.
    var isActive: Bool { self != LifecyclePlan() }
}
