/// `timeouts`. Zero turns one off.
public struct Timeouts: Hashable, Sendable {
    /// From accept to connected: lookup and every attempt together.
    public var connect: Duration
    /// No byte either way.
    public var idle: Duration
    /// One side has ended, counted from the last byte that the open flow's destination took.
    public var halfClose: Duration
    /// From accept, whatever happens.
    public var lifetime: Duration

    /// The defaults of `run`.
    public init(
        connect: Duration = .seconds(5), idle: Duration = .seconds(3600), halfClose: Duration = .seconds(55),
        lifetime: Duration = .zero
    ) {
        self.connect = connect
        self.idle = idle
        self.halfClose = halfClose
        self.lifetime = lifetime
    }

    /// The defaults of `tapline forward`: no idle timeout, and five minutes for the half that is still open.
    public static let forward = Timeouts(idle: .zero, halfClose: .seconds(300))
}
