import Glibc
import Recording
import Sockets
import TestSupport
import Testing

/// Builds a recording: events in, the bytes of a pcapng file out.
struct Capture {
    private let buffer = OutputBuffer()
    var output: PcapngOutput
    /// The appended segments, for table tests.
    private(set) var segments: [Segment] = []

    init(kind: PcapngOutput.Kind = .first) {
        output = PcapngOutput(application: "tapline test", kind: kind)
        output.begin(into: buffer)
    }

    mutating func append(_ segment: Segment?, of conversation: Conversation, payload: [UInt8] = []) {
        guard let segment else { return }
        segments.append(segment)
        output.append(segment, of: conversation, payload: payload.span.bytes, to: buffer)
    }

    /// The session of an encrypted leg derives keys.
    mutating func secrets(_ lines: [UInt8], of conversation: Conversation) {
        conversation.add(secrets: lines)
        output.append(secrets: lines, of: conversation, to: buffer)
    }

    /// The handshake.
    mutating func open(_ conversation: Conversation, upstream: String = "192.0.2.80") {
        append(conversation.accepted(), of: conversation)
        let address = SocketAddress(numericHost: upstream, port: conversation.origin.upstreamPort ?? 0)
        let (synAck, ack) = conversation.connected(
            time: conversation.origin.accepted + 1000, upstreamAddress: address ?? .unix(path: upstream))
        append(synAck, of: conversation)
        append(ack, of: conversation)
    }

    /// Adds bytes to a flow, after an optional gap.
    mutating func data(
        _ conversation: Conversation, _ direction: Direction, _ bytes: [UInt8], gap: UInt64 = 0,
        time: Int64 = 2000
    ) {
        var cursor = conversation.beginData(
            direction: direction, offset: conversation.passed(direction) + gap, count: bytes.count,
            time: conversation.origin.accepted + time)
        while let segment = conversation.next(&cursor) { append(segment, of: conversation, payload: bytes) }
    }

    mutating func finish(_ conversation: Conversation, _ direction: Direction, time: Int64 = 3000) {
        let (acknowledgement, fin) = conversation.ended(
            direction: direction, time: conversation.origin.accepted + time)
        append(acknowledgement, of: conversation)
        append(fin, of: conversation)
    }

    mutating func close(
        _ conversation: Conversation, _ reason: String, by closedBy: String, dropped: UInt64 = 0,
        errno: String? = nil
    ) {
        let (up, down) = (conversation.passed(.up), conversation.passed(.down))
        let end = ConversationEnd(
            time: conversation.origin.accepted + 4000, reason: reason, closedBy: closedBy, errno: errno, bytesUp: up,
            bytesDown: down, recordedBytes: up + down - dropped, droppedBytes: dropped)
        for segment in conversation.closed(end) { append(segment, of: conversation) }
    }

    mutating func end() {
        output.end(time: Capture.start + 1_000_000, into: buffer)
    }

    /// The bytes of the file so far.
    var bytes: [UInt8] {
        buffer.withBytes { span in span.withUnsafeBytes { Array($0) } }
    }

    /// The accept time of the conversations: 2026-11-22 20:15:00 UTC.
    static let start: Int64 = 1_795_378_500_000_000_000

    /// A conversation before its first event.
    static func conversation(
        _ id: UInt64 = 7, client: String = "198.51.100.9", local: String = "127.0.0.1", port: UInt16 = 80,
        name: String? = "example.com"
    ) throws -> Conversation {
        let bound = try #require(SocketAddress(numericHost: local, port: 8080))
        return Conversation(
            ConversationOrigin(
                id: id, relay: "web",
                client: try #require(
                    SocketAddress(numericHost: client, port: 40000 + UInt16(truncatingIfNeeded: id % 1000))),
                listener: bound, local: bound, upstream: "\(name ?? "192.0.2.80"):\(port)", upstreamName: name,
                upstreamPort: port, accepted: start))
    }
}
