/// `timeouts`. Zero disables one.
public struct Timeouts: Hashable, Sendable {
    /// From accept to connected, including the lookup and all addresses.
    public var connect: Duration
    /// From the first attempt: how long connecting is tried again while the upstream is not up. `connect` applies to each
    /// attempt. Off by default.
    public var wait: Duration
    /// Since the last byte in either direction.
    public var idle: Duration
    /// After one side has ended, since the last byte that the open flow's destination accepted.
    public var halfClose: Duration
    /// From accept, regardless of traffic.
    public var lifetime: Duration

    /// The defaults of `run`.
    public init(
        connect: Duration = .seconds(5), idle: Duration = .seconds(3600), halfClose: Duration = .seconds(55),
        lifetime: Duration = .zero, wait: Duration = .zero
    ) {
        self.connect = connect
        self.idle = idle
        self.halfClose = halfClose
        self.lifetime = lifetime
        self.wait = wait
    }

    /// The defaults of `tapline forward`: no idle timeout, and five minutes for the half that is still open.
    public static let forward = Timeouts(idle: .zero, halfClose: .seconds(300))
}
