/// A checked configuration.
///
/// A value; any thread may read it. Its generation number is assigned when it is applied.
public struct Configuration: Hashable, Sendable {
    /// The admin server; nil without one.
    public var admin: AdminSettings?
    /// The output of diagnostics and end records.
    public var log: LogSettings
    /// The number of event loops that accept and relay connections.
    public var workers: WorkerCount
    /// The settings of a shutdown.
    public var shutdown: ShutdownSettings
    /// The congestion control of sockets whose peer is on loopback.
    public var loopbackCongestionControl: LoopbackCongestionControl
    /// The relays, in the order of the file.
    public var relays: [RelaySettings]

    /// A configuration with the defaults of the omitted parts.
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

    /// Parses `auto` or a number.
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
    /// `drain`: how long open connections may continue after the first signal.
    public var drain: Duration
    /// `upgrade`: how long open connections may continue in a process that has been replaced.
    public var upgrade: Duration

    /// The default of 25 s is less than the 30 s that Kubernetes waits. Nothing waits for the end of an upgrade: 10 min.
    public init(drain: Duration = .seconds(25), upgrade: Duration = .seconds(600)) {
        self.drain = drain
        self.upgrade = upgrade
    }

    /// The settings of `tapline forward`: 2 s, because a person is waiting.
    public static let forward = ShutdownSettings(drain: .seconds(2))
}

/// `loopback_congestion_control`: for sockets whose peer is on loopback.
public enum LoopbackCongestionControl: String, CaseIterable, Hashable, Sendable {
    /// `auto`: if the system's default paces (bbr), one that does not.
    case automatic = "auto"
    /// `system`: the system's default.
    case system
}
