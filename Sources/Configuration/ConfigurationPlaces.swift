/// Where in its file a configuration says what the system may refuse: for messages about a file that is in order and
/// cannot be applied all the same.
public struct ConfigurationPlaces: Hashable, Sendable {
    struct Listener: Hashable {
        let relay: String
        let address: ListenAddress
    }

    /// The file, as it was named.
    public let path: String
    /// Where `admin.listen` stands, or `admin` where that is left out; nil without `admin`.
    public internal(set) var admin: Mark?
    /// Where `log.access` stands; nil when it is left out.
    public internal(set) var accessLog: Mark?
    var listeners: [Listener: Mark] = [:]

    init(path: String) {
        self.path = path
    }

    /// Where a relay's address stands.
    public func listener(_ address: ListenAddress, of relay: String) -> Mark? {
        listeners[Listener(relay: relay, address: address)]
    }
}
