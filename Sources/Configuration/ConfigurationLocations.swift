/// A position in one of a configuration's files.
public struct ConfigurationLocation: Hashable, Sendable {
    /// The file's path in messages.
    public let path: String
    /// The position in it.
    public let mark: Mark

    /// The reference to this location in a message about a location in another file (`path`), or by its line in the same.
    func words(from path: String?) -> String {
        (path == self.path ? "on " : "at ") + place(from: path)
    }

    /// The location without a preposition: `line 3`, or `PATH:3:5` in another file.
    func place(from path: String?) -> String {
        path == self.path ? "line \(mark.line)" : "\(self.path):\(mark.line):\(mark.column)"
    }
}

/// The locations of settings that the system may refuse when a valid configuration is applied, for messages.
public struct ConfigurationLocations: Hashable, Sendable {
    struct Listener: Hashable {
        let relay: String
        let address: ListenAddress
    }

    /// The file's path as given to Tapline.
    public let path: String
    /// The location of `admin.listen`, or of `admin` without it; nil without `admin`.
    public internal(set) var admin: ConfigurationLocation?
    /// The location of `log.access`; nil without it.
    public internal(set) var accessLog: ConfigurationLocation?
    var listeners: [Listener: ConfigurationLocation] = [:]

    init(path: String) {
        self.path = path
    }

    /// The location of a relay's address.
    public func listener(_ address: ListenAddress, of relay: String) -> ConfigurationLocation? {
        listeners[Listener(relay: relay, address: address)]
    }
}
