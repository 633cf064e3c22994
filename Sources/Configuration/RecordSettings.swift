public import Sockets

/// `record:`.
public struct RecordSettings: Hashable, Sendable {
    /// When a recording's file is closed and the next one is opened. Zero disables a limit.
    public struct Rotation: Hashable, Sendable {
        /// `size`: at this many bytes.
        public var size: Int
        /// `every`: at this age.
        public var every: Duration
        /// `keep`: how many closed files stay.
        public var keep: Int

        /// Settings with the configuration file's defaults.
        public init(size: Int = 100 << 20, every: Duration = .seconds(3600), keep: Int = 24) {
            self.size = size
            self.every = every
            self.keep = keep
        }
    }

    /// What happens when the buffer is full.
    public enum WhenFull: String, CaseIterable, Hashable, Sendable {
        /// `drop`: the relay never waits, and lost bytes are counted. `block`: the flow waits, and nothing is lost.
        case drop, block
    }

    /// `directory`: an absolute path.
    public var directory: String
    /// `rotate`.
    public var rotate: Rotation
    /// `max_bytes`: the recorded bytes of each flow; nil: all.
    public var maxBytes: Int?
    /// `buffer`: bytes of memory between the relay and the disk.
    public var buffer: Int
    /// `when_full`.
    public var whenFull: WhenFull
    /// `clients`: the networks of the clients whose connections are recorded; empty: all.
    public var clients: [Network]
    /// `fraction`: recorded connections per million.
    public var perMillion: Int
    /// `encrypted`: the encrypted bytes of legs with TLS are recorded, too, with their keys.
    public var includesEncrypted: Bool

    /// Settings with the defaults of the omitted values.
    public init(
        directory: String, rotate: Rotation = Rotation(), maxBytes: Int? = nil,
        buffer: Int = RecordSettings.defaultBuffer, whenFull: WhenFull = .drop, clients: [Network] = [],
        perMillion: Int = 1_000_000, includesEncrypted: Bool = false
    ) {
        self.directory = directory
        self.rotate = rotate
        self.maxBytes = maxBytes
        self.buffer = buffer
        self.whenFull = whenFull
        self.clients = clients
        self.perMillion = perMillion
        self.includesEncrypted = includesEncrypted
    }

    /// Why a recording of a relay without TLS cannot include encrypted bytes.
    public static let nothingEncrypted =
        "nothing is encrypted: `encrypted` needs `tls` or `upstream_tls`; remove it, or add one of them"

    /// The default of `directory`, in the configuration file's folder.
    public static let defaultDirectory = "recordings"
    /// The buffer of `tapline forward`: at a desk, memory matters less than a complete recording.
    public static let bufferForPeople = 64 << 20
    /// The default of `buffer`.
    public static let defaultBuffer = 16 << 20

    // The accepted ranges, in bytes and numbers.
    static let maxBytesRange = 1...1 << 50
    static let sizes = 0...1 << 40
    static let leastSize = 64 << 10
    static let keeps = 0...1_000_000
    static let buffers = 64 << 10...1 << 30
}
