import Recording
import Sockets
import Text

/// What a recording says about one connection: who sent when, the pauses, and the end. A value.
struct RecordedStory {
    /// A time without bytes in either direction.
    struct Pause: Hashable {
        /// Nanoseconds, and those from the start of the connection to the pause.
        var duration: Int64
        var start: Int64
        /// The flow whose bytes came before it and after it; nil: the start or the end.
        var before: Direction?
        var after: Direction?
    }

    /// The shortest pause that is mentioned, in nanoseconds.
    private static let shortestPause: Int64 = 1_000_000_000

    private let started: Timestamp
    /// From the start to the first bytes of each flow, in nanoseconds.
    private var firstUp: Int64?
    private var firstDown: Int64?
    private var last: (direction: Direction?, time: Int64)
    private var pauses = 0 as UInt64
    private var longest: Pause?

    /// The beginning of a connection.
    init(_ opened: RecordedConversation) {
        started = opened.started
        last = (nil, 0)
    }

    /// Bytes of a flow at a time.
    mutating func add(_ direction: Direction, at time: Timestamp) {
        let offset = elapsed(time)
        if direction == .up { firstUp = firstUp ?? offset } else { firstDown = firstDown ?? offset }
        addPause(until: offset, after: direction)
        last = (direction, offset)
    }

    private func elapsed(_ time: Timestamp) -> Int64 {
        let (elapsed, overflow) = time.nanoseconds.subtractingReportingOverflow(started.nanoseconds)
        return overflow ? 0 : max(0, elapsed)
    }

    private mutating func addPause(until offset: Int64, after direction: Direction?) {
        let duration = offset - min(offset, last.time)
        guard duration >= Self.shortestPause else { return }
        pauses += 1
        guard duration > longest?.duration ?? 0 else { return }
        longest = Pause(duration: duration, start: last.time, before: last.direction, after: direction)
    }

    // MARK: Sentences

    /// The sentences about a connection that has ended, or whose recording has.
    mutating func sentences(_ ended: RecordedConversation, times: TimeText) -> [String] {
        addPause(until: elapsed(ended.ended), after: nil)
        return [
            Self.opening(ended, times), Self.leg(ended), bytes(ended), pause, Self.end(ended), Self.missing(ended),
        ].compactMap(\.self)
    }

    private static func opening(_ ended: RecordedConversation, _ times: TimeText) -> String {
        let time = times.text(ended.started)
        let relay = ended.relay.map { "relay \($0) (\(ended.listener))" } ?? ended.listener
        let upstream = ended.upstream == nil ? "" : " Upstream: \(ended.destination)."
        return ended.hasStart
            ? "The client \(ended.client) connected to \(relay) at \(time).\(upstream)"
            : "The client \(ended.client) was connected to \(relay) when the recording began at \(time).\(upstream)"
    }

    /// For a leg: what it is, and where its bytes are.
    private static func leg(_ ended: RecordedConversation) -> String? {
        ended.leg.map {
            "It has no plaintext, because its TLS handshake failed: this is about its encrypted leg with the "
                + "\($0.rawValue), whose bytes `tapline show FILE \(ended.id) --leg \($0.rawValue) --format hex` shows."
        }
    }

    private func bytes(_ ended: RecordedConversation) -> String? {
        guard ended.bytes > 0 else { return "No bytes were sent in either direction." }
        let passed =
            "\(SizeText.sentence(ended.up.passed)) went up and \(SizeText.sentence(ended.down.passed)) came down"
        let shortened = firstUp == nil ? "the upstream's first byte came" : "the upstream's"
        let firsts = [
            firstUp.map { "the client's first byte came after \(DurationText.short(nanoseconds: $0))" },
            firstDown.map { "\(shortened) after \(DurationText.short(nanoseconds: $0))" },
        ]
        let known = firsts.compactMap(\.self).joined(separator: ", ")
        return passed + (known.isEmpty ? "." : "; \(known).")
    }

    private var pause: String? {
        guard let longest else { return nil }
        let duration = DurationText.short(nanoseconds: longest.duration)
        let start = DurationText.short(nanoseconds: longest.start)
        let count = pauses == 1 ? "There was 1 pause" : "There were \(pauses) pauses"
        let before = longest.before.map { "the last bytes before it came from the \($0.source.rawValue)" }
        let after = longest.after.map { "the \($0.source.rawValue) sent next" } ?? "no more bytes followed"
        return "\(count) of more than 1 s. The longest, \(duration), began \(start) after the start: "
            + "\(before ?? "there were no bytes before it"), and \(after)."
    }

    private static func end(_ ended: RecordedConversation) -> String {
        let duration = DurationText.short(nanoseconds: ended.duration)
        guard let reason = ended.reason else {
            return "The recording does not contain its end; the last packet is \(duration) after its start."
        }
        let code = reason + (ended.errno.map { ", \($0)" } ?? "")
        let words =
            switch reason {
            case "client_closed": "The client closed first, and the connection shut down cleanly"
            case "upstream_closed": "The upstream closed first, and the connection shut down cleanly"
            case "client_reset": "The client reset the connection"
            case "upstream_reset": "The upstream reset the connection"
            case "connect_refused": "The upstream refused the connection: nothing was listening there"
            case "tls_handshake_failed": "The TLS handshake\(with(ended)) failed"
            case "tls_certificate_refused": "A certificate was refused in the TLS handshake\(with(ended))"
            case "tls_handshake_timeout": "The TLS handshake\(with(ended)) was not complete in time"
            default: ended.endedBy == "tapline" ? "Tapline ended the connection" : "The connection ended"
            }
        return "\(words), \(duration) after it opened (\(code))."
    }

    private static func with(_ ended: RecordedConversation) -> String {
        let side = ended.leg?.rawValue ?? (ended.endedBy == "tapline" ? nil : ended.endedBy)
        return side.map { " with the \($0)" } ?? ""
    }

    private static func missing(_ ended: RecordedConversation) -> String? {
        let sum = ended.up.missing.addingReportingOverflow(ended.down.missing)
        let missing = max(sum.overflow ? .max : sum.partialValue, ended.droppedBytes ?? 0)
        guard missing > 0 else { return nil }
        return "\(SizeText.sentence(missing)) of it \(missing == 1 ? "is" : "are") missing from the recording."
    }
}
