/// The difference between two configurations, in plain values in the order of the file.
///
/// The log line, the admin API's answer and a dry run are made from it. The order of relays, and of one relay's addresses, is
/// irrelevant.
public struct ConfigurationDifference: Hashable, Codable, Sendable {
    /// One setting with another value, or with files that have other content.
    public struct Setting: Hashable, Codable, Sendable {
        /// The key's path from the relay's entry or from the top of the file, such as `timeouts.idle`.
        public let key: String
        /// The old value in the file's notation; nil if absent.
        public let old: String?
        /// The new value in the file's notation; nil if absent.
        public let new: String?
        /// What changed in files that have the same names as before: `front.crt (renewed: expires 2027-01-01, was
        /// 2026-12-01)`; then `old` and `new` are both their paths. Nil if the value is another one.
        public let content: String?

        init(key: String, old: String?, new: String?, content: String? = nil) {
            self.key = key
            self.old = old
            self.new = new
            self.content = content
        }
    }

    /// A relay with a new name that listens and forwards as before.
    public struct Rename: Hashable, Codable, Sendable {
        /// The old name.
        public let old: String
        /// The new name.
        public let new: String
    }

    /// A relay with changed settings.
    public struct RelayChange: Hashable, Codable, Sendable {
        /// Its name; the new name if it was also renamed.
        public let relay: String
        /// At least one.
        public let settings: [Setting]
    }

    /// Addresses that are added, removed, or moved from one relay to another. A listener's identity is its address.
    public struct Listeners: Hashable, Codable, Sendable {
        /// One address of one relay.
        public struct Listener: Hashable, Codable, Sendable {
            /// Such as `127.0.0.1:8080`, `[::1]:8080`, `unix:/run/app.sock`.
            public let address: String
            /// The relay's name.
            public let relay: String
        }

        /// One address that moves from one relay to another.
        public struct Move: Hashable, Codable, Sendable {
            /// Such as `127.0.0.1:8080`.
            public let address: String
            /// The old relay's name.
            public let from: String
            /// The new relay's name.
            public let to: String
        }

        /// New addresses.
        public var added: [Listener] = []
        /// Addresses that are no longer configured.
        public var removed: [Listener] = []
        /// Addresses that belong to another relay now.
        public var moved: [Move] = []
    }

    /// The names of new relays.
    public private(set) var added: [String] = []
    /// The names of removed relays.
    public private(set) var removed: [String] = []
    /// Renamed relays.
    public private(set) var renamed: [Rename] = []
    /// Relays with changed settings.
    public private(set) var changed: [RelayChange] = []
    /// The addresses of all these relays.
    public private(set) var listeners = Listeners()
    /// Settings outside the relays.
    public private(set) var settings: [Setting] = []
    /// Settings that take effect at the next start only.
    public private(set) var needsRestart: [Setting] = []

    private enum CodingKeys: String, CodingKey {
        case added, removed, renamed, changed, listeners, settings
        case needsRestart = "needs_restart"
    }

    /// Whether there is nothing to apply. Settings that need a restart do not count.
    public var isEmpty: Bool {
        added.isEmpty && removed.isEmpty && renamed.isEmpty && changed.isEmpty && settings.isEmpty
    }

    /// The previous names of the new configuration's relays; new relays are absent.
    ///
    /// Only this decides whether a relay is a renamed one. Connections, listeners on free ports, limits and recordings
    /// depend on it.
    public func previousNames(of relays: [RelaySettings]) -> [String: String] {
        let new = Set(added)
        let oldNames = Dictionary(renamed.map { ($0.new, $0.old) }, uniquingKeysWith: { first, _ in first })
        let kept = relays.lazy.map(\.name).filter { !new.contains($0) }
        return Dictionary(kept.map { ($0, oldNames[$0] ?? $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Compares the configuration in force with a new one.
    public init(from old: Configuration, to new: Configuration) {
        let relays = compareRelays(old, new)
        listeners = ListenerComparison.compare(old.relays, new.relays, oldNames: relays.mapValues(\.name))
        var general = SettingComparison()
        general.compare(old, new)
        settings = general.settings
        var restart = SettingComparison()
        restart.compareFixed(old, new)
        needsRestart = restart.settings
        assert(isEmpty == (old.comparable == new.comparable), "a setting is compared nowhere")
    }

    /// Compares the relays. Returns the previous settings of each relay by its new name.
    private mutating func compareRelays(_ old: Configuration, _ new: Configuration) -> [String: RelaySettings] {
        let oldByName = Dictionary(old.relays.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let newNames = Set(new.relays.map(\.name))
        var gone: [RelayRoute: [RelaySettings]] = [:]
        for relay in old.relays where !newNames.contains(relay.name) {
            gone[RelayRoute(relay), default: []].append(relay)
        }
        var previous: [String: RelaySettings] = [:]
        var renamedAway: Set<String> = []
        for relay in new.relays {
            if let before = oldByName[relay.name] {
                previous[relay.name] = before
            } else if let before = gone[RelayRoute(relay)]?.first {
                gone[RelayRoute(relay)]?.removeFirst()
                previous[relay.name] = before
                renamedAway.insert(before.name)
                renamed.append(Rename(old: before.name, new: relay.name))
            } else {
                added.append(relay.name)
            }
            guard let before = previous[relay.name] else { continue }
            var comparison = SettingComparison()
            comparison.compare(before, relay)
            guard !comparison.settings.isEmpty else { continue }
            changed.append(RelayChange(relay: relay.name, settings: comparison.settings))
        }
        removed = old.relays.map(\.name).filter { !newNames.contains($0) && !renamedAway.contains($0) }
        return previous
    }
}

/// A relay's listeners and upstream: a relay with the same ones and another name is the same relay, renamed.
private struct RelayRoute: Hashable {
    let listen: Set<ListenAddress>
    let upstream: UpstreamAddress

    init(_ relay: RelaySettings) {
        listen = Set(relay.listen.map(\.withoutMode))
        upstream = relay.upstream
    }
}

extension Configuration {
    /// The configuration, with the running configuration's values for settings that need a restart.
    public func keepingFixedSettings(of running: Configuration) -> Configuration {
        var copy = self
        copy.workers = running.workers
        copy.loopbackCongestionControl = running.loopbackCongestionControl
        return copy
    }

    /// The configuration in a form whose equality means that there is nothing to apply.
    fileprivate var comparable: Configuration {
        var copy = keepingFixedSettings(of: Configuration(relays: []))
        copy.relays.sort { $0.name < $1.name }
        for index in copy.relays.indices {
            copy.relays[index].listen.sort { "\($0)" < "\($1)" }
            copy.relays[index].tlsRouting?.routes.sort { "\($0)" < "\($1)" }
        }
        return copy
    }
}
