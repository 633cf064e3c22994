/// Everything that Tapline was told to do, checked as a whole and immutable from then on.
///
/// A value; any thread may read it. Whoever applies a changed one gives it the next generation number.
public struct Configuration: Hashable, Sendable {
    /// The admin server; nil without one.
    public var admin: AdminSettings?
    /// How diagnostics and end records are written.
    public var log: LogSettings
    /// How many loops accept and carry connections.
    public var workers: WorkerCount
    /// How Tapline stops.
    public var shutdown: ShutdownSettings
    /// Which congestion control the sockets of loopback peers take.
    public var loopbackCongestionControl: LoopbackCongestionControl
    /// The relays, in the order of the file.
    public var relays: [RelaySettings]

    /// A configuration of the given parts; the parts left out have their defaults.
    public init(
        admin: AdminSettings? = nil, log: LogSettings = LogSettings(), workers: WorkerCount = .automatic,
        shutdown: ShutdownSettings = ShutdownSettings(),
        loopbackCongestionControl: LoopbackCongestionControl = .automatic, relays: [RelaySettings]
    ) {
        self.admin = admin
        self.log = log
        self.workers = workers
        self.shutdown = shutdown
        self.loopbackCongestionControl = loopbackCongestionControl
        self.relays = relays
    }
}

/// `workers`.
public enum WorkerCount: Hashable, Sendable {
    /// `auto`: one per core that the process may run on.
    case automatic
    /// A number from 1 to `WorkerCount.most`.
    case exactly(Int)

    /// The largest number of workers.
    public static let most = 256

    /// Reads `auto` or a number.
    public init(parsing text: String) throws(ValueError) {
        if text == "auto" {
            self = .automatic
        } else if case .number(let number) = DecimalText(text), (1...Int64(Self.most)).contains(number) {
            self = .exactly(Int(number))
        } else {
            throw ValueError("\(quoted(text)) is neither `auto` nor a whole number from 1 to \(Self.most)")
        }
    }
}

/// `shutdown:`.
public struct ShutdownSettings: Hashable, Sendable {
    /// `drain`: how long open connections may go on after the first signal.
    public var drain: Duration
    /// `upgrade`: how long open connections may go on in the process that another one has replaced.
    public var upgrade: Duration

    /// 25 s unless told otherwise, under the 30 s that Kubernetes waits; after an upgrade 10 min, for nobody waits.
    public init(drain: Duration = .seconds(25), upgrade: Duration = .seconds(600)) {
        self.drain = drain
        self.upgrade = upgrade
    }

    /// What `tapline forward` uses: 2 s, for somebody waits at the keyboard.
    public static let forward = ShutdownSettings(drain: .seconds(2))
}

/// `loopback_congestion_control`: what the sockets of peers on loopback use.
public enum LoopbackCongestionControl: String, CaseIterable, Hashable, Sendable {
    /// `auto`: one that does not pace, where the system's own does (bbr).
    case automatic = "auto"
    /// `system`: the system's own.
    case system
}
