public import Sockets

/// Everything that Tapline was told to do, checked as a whole and immutable from then on.
///
/// A value; any thread may read it. Whoever applies a changed one gives it the next generation number.
public struct Configuration: Hashable, Sendable {
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
        log: LogSettings = LogSettings(), workers: WorkerCount = .automatic,
        shutdown: ShutdownSettings = ShutdownSettings(),
        loopbackCongestionControl: LoopbackCongestionControl = .automatic, relays: [RelaySettings]
    ) {
        self.log = log
        self.workers = workers
        self.shutdown = shutdown
        self.loopbackCongestionControl = loopbackCongestionControl
        self.relays = relays
    }
}

/// `log:`.
public struct LogSettings: Hashable, Sendable {
    /// The least severity that is written.
    public enum Level: String, CaseIterable, Hashable, Sendable {
        /// From the most talkative to the least.
        case trace, debug, info, notice, warning, error
    }
    /// How lines look.
    public enum Format: String, CaseIterable, Hashable, Sendable {
        /// `key=value` for people, JSON for programs.
        case text, json
    }
    /// Where end records go.
    public enum Access: Hashable, Sendable {
        /// Standard output.
        case standardOutput
        /// Standard error.
        case standardError
        /// A file, appended to; the path is absolute.
        case file(String)
        /// Nowhere.
        case off
    }

    /// `level`.
    public var level: Level
    /// `format`, of diagnostics and of end records.
    public var format: Format
    /// `access`.
    public var access: Access

    /// The defaults of the file, unless told otherwise.
    public init(level: Level = .info, format: Format = .text, access: Access = .standardOutput) {
        self.level = level
        self.format = format
        self.access = access
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
}

/// `shutdown:`.
public struct ShutdownSettings: Hashable, Sendable {
    /// `drain`: how long open connections may go on after the first signal.
    public var drain: Duration

    /// 25 s unless told otherwise, under the 30 s that Kubernetes waits.
    public init(drain: Duration = .seconds(25)) {
        self.drain = drain
    }
}

/// `loopback_congestion_control`: what the sockets of peers on loopback use.
public enum LoopbackCongestionControl: String, CaseIterable, Hashable, Sendable {
    /// `auto`: one that does not pace, where the system's own does (bbr).
    case automatic = "auto"
    /// `system`: the system's own.
    case system
}

/// One entry of `relays`.
public struct RelaySettings: Hashable, Sendable {
    /// `name`: unique, names metrics and recordings.
    public var name: String
    /// `listen`: one address or several.
    public var listen: [ListenAddress]
    /// `upstream`.
    public var upstream: UpstreamAddress
    /// `timeouts`.
    public var timeouts: Timeouts
    /// `max_connections`: at this number accepting pauses.
    public var maxConnections: Int

    /// A relay; what is left out has its default.
    public init(
        name: String, listen: [ListenAddress], upstream: UpstreamAddress, timeouts: Timeouts = Timeouts(),
        maxConnections: Int = RelaySettings.defaultMaxConnections
    ) {
        self.name = name
        self.listen = listen
        self.upstream = upstream
        self.timeouts = timeouts
        self.maxConnections = maxConnections
    }

    /// The default of `max_connections`.
    public static let defaultMaxConnections = 10_000
}

/// `timeouts`. Zero turns one off.
public struct Timeouts: Hashable, Sendable {
    /// From accept to connected: lookup and every attempt together.
    public var connect: Duration
    /// No byte either way.
    public var idle: Duration
    /// One side has ended, counted from the last byte that the open flow's destination took.
    public var halfClose: Duration
    /// From accept, whatever happens.
    public var lifetime: Duration

    /// The defaults of `run`.
    public init(
        connect: Duration = .seconds(5), idle: Duration = .seconds(3600), halfClose: Duration = .seconds(55),
        lifetime: Duration = .zero
    ) {
        self.connect = connect
        self.idle = idle
        self.halfClose = halfClose
        self.lifetime = lifetime
    }
}

/// Where a relay listens, as it was written.
public enum ListenAddress: Hashable, Sendable {
    /// `8080` or `localhost:8080`: 127.0.0.1 and ::1.
    case loopback(port: UInt16)
    /// `*:8080`: one IPv4 and one IPv6 socket for every interface.
    case everyInterface(port: UInt16)
    /// `127.0.0.1:8080`, `[::1]:8080`.
    case address(SocketAddress)
    /// `unix:/path`, with the mode of its file.
    case unix(path: String, mode: UInt16)

    /// The mode of a Unix listener's file unless `mode` says otherwise.
    public static let defaultUnixMode: UInt16 = 0o660
}

/// What a relay forwards to, as it was written.
public enum UpstreamAddress: Hashable, Sendable {
    /// `example.com:80`: resolved at each connection.
    case name(String, port: UInt16)
    /// `192.0.2.1:80`, `[2001:db8::1]:80`, `unix:/path`.
    case address(SocketAddress)
}
