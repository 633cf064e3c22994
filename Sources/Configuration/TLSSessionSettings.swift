public import TLS
internal import Text

/// The settings that `tls` and `upstream_tls` share: those of one TLS session, whichever side it is with.
public struct TLSSessionSettings: Hashable, Sendable {
    /// `minimum`.
    public var minimum: TLSVersion
    /// `alpn`, in order of preference.
    public var applications: [String]
    /// `starttls`: the protocol whose messages agree on TLS first; nil: TLS begins at once.
    public var startTLS: StartTLSProtocol?
    /// `handshake`: how long the handshake may take; zero: unlimited.
    public var handshake: Duration
    /// `truncation`.
    public var truncation: TLSTruncation

    /// Settings with these values.
    public init(
        minimum: TLSVersion = .tls12, applications: [String] = [], startTLS: StartTLSProtocol? = nil,
        handshake: Duration = .seconds(10), truncation: TLSTruncation = .pass
    ) {
        self.minimum = minimum
        self.applications = applications
        self.startTLS = startTLS
        self.handshake = handshake
        self.truncation = truncation
    }

    /// The minimum of `handshake`: a packet that is lost once is retransmitted after one second.
    private static let leastHandshake = Duration.seconds(1)
}

/// The keys of one session, which `tls` and `upstream_tls` both have.
protocol TLSSessionKey: ConfigurationKey {
    static var minimum: Self { get }
    static var applications: Self { get }
    static var startTLS: Self { get }
    static var handshake: Self { get }
    static var truncation: Self { get }
}

extension TLSKey: TLSSessionKey {}
extension UpstreamTLSKey: TLSSessionKey {}

// MARK: Reading

extension TLSSessionSettings {
    /// Reads the keys of one session; those that are absent or wrong have their defaults.
    init(reading fields: Fields<some TLSSessionKey>) {
        self.init()
        minimum = fields[.minimum]?.choice(TLSVersion.self) ?? minimum
        startTLS = fields[.startTLS]?.choice(StartTLSProtocol.self)
        applications =
            fields[.applications].map { RelayDraft.applications($0).map(\.value) } ?? startTLS?.applications ?? []
        handshake = fields[.handshake].flatMap(Self.handshake) ?? handshake
        truncation = fields[.truncation]?.choice(TLSTruncation.self) ?? truncation
    }

    private static func handshake(_ field: Field) -> Duration? {
        guard let limit = field.duration() else { return nil }
        if limit != .zero, limit < leastHandshake {
            field.report(
                "\(DurationText.text(of: limit)) is too short for a packet that is lost and sent again; at least "
                    + "\(DurationText.text(of: leastHandshake)), or 0 for no bound")
        }
        return limit
    }
}

// MARK: Comparing

extension SettingComparison {
    /// Compares two sessions. `key` is the path of each of their keys.
    mutating func compare<Key: TLSSessionKey>(
        _ old: TLSSessionSettings, _ new: TLSSessionSettings, _ key: (Key) -> [any ConfigurationKey]
    ) {
        add(key(.minimum), old.minimum, new.minimum, \.rawValue)
        add(key(.applications), old.applications, new.applications, Self.list)
        add(key(.startTLS), old.startTLS, new.startTLS) { $0?.rawValue }
        add(key(.handshake), old.handshake, new.handshake, DurationText.text(of:))
        add(key(.truncation), old.truncation, new.truncation, \.rawValue)
    }

    /// A list in one line; nil if it is empty.
    static func list(_ texts: [String]) -> String? { texts.isEmpty ? nil : texts.joined(separator: ", ") }
}
