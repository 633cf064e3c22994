/// A client that is held because its upstream is not up (`timeouts.wait`). A copy; any thread.
public struct HeldClient: Hashable, Sendable {
    /// The relay's name.
    public let relay: String
    /// The upstream as configured.
    public let upstream: String
    /// Why the first attempt failed.
    public let reason: EndReason
    /// The same as a short sentence without a full stop, like `ConnectionRecord.failureSentence`.
    public let sentence: String
    /// How long the client is held, milliseconds.
    public let limit: UInt64
}
