public import Configuration
public import Sockets

// STUB: the data-plane side of a reload comes from another branch, with this signature.
extension RelayService {
    /// Binds what is new, tells the workers, and gives up what is gone; throws with everything as it was.
    public func apply(
        _ configuration: Configuration, generation: Int, bound drain: Duration
    ) throws(SystemError) {}
}
