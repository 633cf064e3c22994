public import Configuration
public import Relay
public import Sockets

extension RelayService {
    /// Prepares and commits a configuration in one step, with the difference from the current one.
    public func apply(_ configuration: Configuration, generation: Int, drain: Duration) throws(SystemError) {
        let difference = ConfigurationDifference(from: self.configuration, to: configuration)
        commit(try prepare(configuration, difference), generation: generation, drain: drain)
    }
}
