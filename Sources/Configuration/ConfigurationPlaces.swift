/// A place in one of the files of a configuration.
public struct ConfigurationPlace: Hashable, Sendable {
    /// The file, as messages call it.
    public let path: String
    /// Where in it.
    public let mark: Mark

    /// How a message about a place in some file refers to this one: the line is enough where it is the same file.
    func words(from path: String?) -> String {
        path == self.path ? "in line \(mark.line)" : "at \(self.path):\(mark.line):\(mark.column)"
    }
}

/// Where in its files a configuration says what the system may refuse: for messages about a file that is in order and
/// cannot be applied all the same.
public struct ConfigurationPlaces: Hashable, Sendable {
    struct Listener: Hashable {
        let relay: String
        let address: ListenAddress
    }

    /// The file, as it was named.
    public let path: String
    /// Where `admin.listen` stands, or `admin` where that is left out; nil without `admin`.
    public internal(set) var admin: ConfigurationPlace?
    /// Where `log.access` stands; nil when it is left out.
    public internal(set) var accessLog: ConfigurationPlace?
    var listeners: [Listener: ConfigurationPlace] = [:]

    init(path: String) {
        self.path = path
    }

    /// Where a relay's address stands.
    public func listener(_ address: ListenAddress, of relay: String) -> ConfigurationPlace? {
        listeners[Listener(relay: relay, address: address)]
    }
}
