internal import Text

/// The name of a recording's file: `RELAY.20261122T201500.123Z.pcapng`.
///
/// The part after the relay's name has a fixed length, so relays whose names share a prefix have distinct files.
public struct RecordingFileName: Hashable, Sendable {
    /// The relay's name.
    public let relay: String
    /// The start time, milliseconds since 1970 UTC. The names of one relay sort by it.
    public let milliseconds: Int64

    /// The name of a file that starts at a time, nanoseconds since 1970 UTC.
    public init(relay: String, nanoseconds: Int64) {
        self.init(relay: relay, milliseconds: nanoseconds / 1_000_000)
    }

    private init(relay: String, milliseconds: Int64) {
        self.relay = relay
        self.milliseconds = milliseconds
    }

    /// The next name to try if this one exists.
    public var next: RecordingFileName { RecordingFileName(relay: relay, milliseconds: milliseconds + 1) }

    /// The suffix.
    public static let ending = ".pcapng"
    /// The pattern of the time: 0 stands for any digit, every other character for itself.
    private static let shape = Array(".00000000T000000.000Z".utf8)

    /// Whether a file name is that of a relay's recording.
    public static func isRecording(_ name: String, of relay: String) -> Bool {
        self.relay(inFileNamed: name) == relay
    }

    /// The relay's name in the name of a recording; nil for other names.
    public static func relay(inFileNamed name: String) -> String? {
        guard name.hasSuffix(ending) else { return nil }
        let stem = name.utf8.dropLast(ending.utf8.count)
        guard stem.count >= shape.count else { return nil }
        let hasTime = zip(stem.suffix(shape.count), shape).allSatisfy { byte, wanted in
            wanted == UInt8(ascii: "0") ? (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) : byte == wanted
        }
        return hasTime ? String(Substring(stem.dropLast(shape.count))) : nil
    }
}

extension RecordingFileName: CustomStringConvertible {
    /// The name.
    public var description: String {
        var time: [UInt8] = []
        Timestamp(nanoseconds: milliseconds * 1_000_000).append(to: &time)
        // 2026-11-22T20:15:00.123Z without hyphens and colons.
        time.removeAll { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ":") }
        return relay + "." + String(decoding: time, as: UTF8.self) + Self.ending
    }
}
