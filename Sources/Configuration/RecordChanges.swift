public import Sockets
internal import Text

/// The settings of a recording that a request to the admin API changes; nil: as configured, or the default.
public struct RecordChanges: Hashable, Sendable {
    /// `max_bytes`.
    public var maxBytes: Int?
    /// `rotate.size`.
    public var rotateSize: Int?
    /// `rotate.every`.
    public var rotateEvery: Duration?
    /// `rotate.keep`.
    public var keep: Int?
    /// `buffer`.
    public var buffer: Int?
    /// `when_full`.
    public var whenFull: RecordSettings.WhenFull?
    /// `clients`; empty: as configured.
    public var clients: [Network] = []
    /// `fraction`, per million.
    public var perMillion: Int?
    /// `encrypted`.
    public var includesEncrypted: Bool?

    /// No changes.
    public init() {}

    /// Whether nothing is changed.
    public var isEmpty: Bool { self == RecordChanges() }

    /// The body of the request, which `RecordSettings.parse` reads.
    public var requestText: String {
        var json = JSONText()
        json.object { json in
            if rotateSize != nil || rotateEvery != nil || keep != nil {
                json.object(RecordKey.rotate.rawValue) { json in
                    if let rotateSize { json.add(RotateKey.size.rawValue, SizeText.text(of: rotateSize)) }
                    if let rotateEvery { json.add(RotateKey.every.rawValue, DurationText.text(of: rotateEvery)) }
                    if let keep { json.add(RotateKey.keep.rawValue, number: keep) }
                }
            }
            if let maxBytes { json.add(RecordKey.maxBytes.rawValue, SizeText.text(of: maxBytes)) }
            if let buffer { json.add(RecordKey.buffer.rawValue, SizeText.text(of: buffer)) }
            if let whenFull { json.add(RecordKey.whenFull.rawValue, whenFull.rawValue) }
            if !clients.isEmpty { json.list(RecordKey.clients.rawValue, clients) { $0.element($1.description) } }
            if let perMillion { json.add(RecordKey.fraction.rawValue, FractionText.text(of: perMillion)) }
            if let includesEncrypted { json.add(RecordKey.encrypted.rawValue, includesEncrypted) }
        }
        return String(decoding: json.bytes, as: UTF8.self)
    }

    // MARK: Values of options

    /// Parses `max_bytes`.
    public static func maxBytes(parsing text: String) throws(ValueError) -> Int {
        try SizeText.parse(text, in: RecordSettings.maxBytesRange)
    }

    /// Parses `rotate.size`; 0 is no limit.
    public static func rotateSize(parsing text: String) throws(ValueError) -> Int {
        if text == "0" { return 0 }
        return try SizeText.parse(text, in: RecordSettings.leastSize...RecordSettings.sizes.upperBound)
    }

    /// Parses `rotate.every`; 0 is no limit.
    public static func rotateEvery(parsing text: String) throws(ValueError) -> Duration {
        let duration = try DurationText.parse(text)
        guard duration == .zero || duration >= .seconds(1) else {
            throw ValueError("a new file every \(DurationText.text(of: duration)) is too often; at least 1s")
        }
        return duration
    }

    /// Parses `buffer`.
    public static func buffer(parsing text: String) throws(ValueError) -> Int {
        try SizeText.parse(text, in: RecordSettings.buffers)
    }

    /// Parses `fraction`.
    public static func perMillion(parsing text: String) throws(ValueError) -> Int {
        try FractionText.parse(text)
    }

    /// The range of `rotate.keep`.
    public static var keeps: ClosedRange<Int> { RecordSettings.keeps }
}
