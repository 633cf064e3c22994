/// What is different between two configurations: what a reload changes, in plain values that stand in the file's order.
///
/// Made without effects; the log line, the answer of the admin API and a dry run are all made from it. The order of
/// relays, and of the addresses of one relay, is no difference.
public struct ConfigurationDifference: Hashable, Codable, Sendable {
    /// One setting with another value.
    public struct Setting: Hashable, Codable, Sendable {
        /// The key's path from the relay's entry or from the top of the file, such as `timeouts.idle`.
        public let key: String
        /// What it was, written as in the file; nil: it was not there.
        public let old: String?
        /// What it is, written as in the file; nil: it is no longer there.
        public let new: String?
    }

    /// A relay that goes on under another name: it listens and forwards as before.
    public struct Rename: Hashable, Codable, Sendable {
        /// Its name until now.
        public let old: String
        /// Its name from now on.
        public let new: String
    }

    /// A relay of which settings changed.
    public struct RelayChange: Hashable, Codable, Sendable {
        /// Its name, the new one if it was renamed too.
        public let relay: String
        /// At least one.
        public let settings: [Setting]
    }

    /// Addresses to bind, to give up, or that go from one relay to another. A listener's identity is its address.
    public struct Listeners: Hashable, Codable, Sendable {
        /// One address of one relay.
        public struct Listener: Hashable, Codable, Sendable {
            /// Such as `127.0.0.1:8080`, `[::1]:8080`, `unix:/run/app.sock`.
            public let address: String
            /// The relay's name.
            public let relay: String
        }

        /// One address that goes from one relay to another.
        public struct Move: Hashable, Codable, Sendable {
            /// Such as `127.0.0.1:8080`.
            public let address: String
            /// The old relay's name.
            public let from: String
            /// The new relay's name.
            public let to: String
        }

        /// Not bound until now.
        public var added: [Listener] = []
        /// Not wanted any more.
        public var removed: [Listener] = []
        /// Kept, for another relay.
        public var moved: [Move] = []
    }

    /// The names of new relays.
    public private(set) var added: [String] = []
    /// The names of relays that are gone.
    public private(set) var removed: [String] = []
    /// Relays with another name.
    public private(set) var renamed: [Rename] = []
    /// Relays with other settings.
    public private(set) var changed: [RelayChange] = []
    /// The addresses of all these relays.
    public private(set) var listeners = Listeners()
    /// Settings outside the relays.
    public private(set) var settings: [Setting] = []
    /// Settings that a running process keeps, and only another start takes over.
    public private(set) var needsRestart: [Setting] = []

    private enum CodingKeys: String, CodingKey {
        case added, removed, renamed, changed, listeners, settings
        case needsRestart = "needs_restart"
    }

    /// Whether there is nothing to apply. What only a restart can change does not count.
    public var isEmpty: Bool {
        added.isEmpty && removed.isEmpty && renamed.isEmpty && changed.isEmpty && settings.isEmpty
    }

    /// What each of the relays of the new configuration was called in the old one; a new relay is absent.
    ///
    /// This is the one place that decides whether a relay goes on under another name: whatever else depends on that
    /// (connections, listeners on free ports, limits, recordings) asks here.
    public func previousNames(of relays: [RelaySettings]) -> [String: String] {
        let new = Set(added)
        let oldNames = Dictionary(renamed.map { ($0.new, $0.old) }, uniquingKeysWith: { first, _ in first })
        let kept = relays.lazy.map(\.name).filter { !new.contains($0) }
        return Dictionary(kept.map { ($0, oldNames[$0] ?? $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Compares a configuration in force with another.
    public init(from old: Configuration, to new: Configuration) {
        let relays = compareRelays(old, new)
        listeners = ListenerComparison.compare(old.relays, new.relays, oldNames: relays.mapValues(\.name))
        var beside = SettingComparison()
        beside.compare(old, new)
        settings = beside.settings
        var restart = SettingComparison()
        restart.compareFixed(old, new)
        needsRestart = restart.settings
        assert(isEmpty == (old.comparable == new.comparable), "a setting is compared nowhere")
    }

    /// Fills in what there is to say of relays. Returns what each relay of the new configuration was, by its new name.
    private mutating func compareRelays(_ old: Configuration, _ new: Configuration) -> [String: RelaySettings] {
        let oldByName = Dictionary(old.relays.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let newNames = Set(new.relays.map(\.name))
        var gone: [Whereabouts: [RelaySettings]] = [:]
        for relay in old.relays where !newNames.contains(relay.name) {
            gone[Whereabouts(relay), default: []].append(relay)
        }
        var previous: [String: RelaySettings] = [:]
        var renamedAway: Set<String> = []
        for relay in new.relays {
            if let before = oldByName[relay.name] {
                previous[relay.name] = before
            } else if let before = gone[Whereabouts(relay)]?.first {
                gone[Whereabouts(relay)]?.removeFirst()
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

/// Where a relay listens and what it forwards to: the same two under another name are the same relay, renamed.
private struct Whereabouts: Hashable {
    let listen: Set<ListenAddress>
    let upstream: UpstreamAddress

    init(_ relay: RelaySettings) {
        listen = Set(relay.listen.map(\.withoutMode))
        upstream = relay.upstream
    }
}

extension Configuration {
    /// The same with those settings of another configuration that a process keeps from its start to its end.
    public func keepingFixedSettings(of running: Configuration) -> Configuration {
        var copy = self
        copy.workers = running.workers
        copy.loopbackCongestionControl = running.loopbackCongestionControl
        return copy
    }

    /// The same without what is no difference, or none that can be applied.
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
