import Sockets

@testable import Recording

/// The events of a capture, read to the end.
struct Reading {
    var conversations: [RecordedConversation] = []
    /// The bytes and gaps in order: `7 up hello`, `7 up -12` for a gap.
    var pieces: [String] = []
    var opened = 0
    var bytes = 0
    var error: CaptureError?
    var skipped = SkippedPackets()
    var unread = 0
    var segments: UInt64 = 0
    /// The number of events.
    var events = 0

    /// Reads a capture in pieces of `piece` bytes.
    init(_ capture: [UInt8], piece: Int = 4096, limits: ReassemblyLimits = ReassemblyLimits()) {
        let reader = RecordingReader(keepsPrefixes: true, limits: limits)
        do {
            var start = 0
            while start < capture.count {
                let end = min(capture.count, start + piece)
                reader.append(Array(capture[start..<end]))
                start = end
                while let event = try reader.next() { add(event) }
            }
        } catch {
            self.error = error
        }
        do {
            try reader.finish()
        } catch {
            self.error = self.error ?? error
        }
        while let event = try? reader.next() { add(event) }
        skipped = reader.skipped
        unread = reader.unread
        segments = reader.segments
    }

    private mutating func add(_ event: RecordingEvent) {
        events += 1
        switch event {
        case .opened: opened += 1
        case .bytes(let piece):
            bytes += piece.bytes.count
            pieces.append("\(piece.id) \(piece.direction.rawValue) \(String(decoding: piece.bytes, as: UTF8.self))")
        case .missing(let gap): pieces.append("\(gap.id) \(gap.direction.rawValue) -\(gap.count)")
        case .ended(let conversation): conversations.append(conversation)
        }
    }

    /// Reads packets, some milliseconds apart, as a pcapng file of IPv4.
    init(
        _ packets: [Packet], milliseconds: [UInt64]? = nil, comments: [Int: [String]] = [:],
        limits: ReassemblyLimits = ReassemblyLimits()
    ) {
        var file = Pcapng()
        file.interface()
        for (place, packet) in packets.enumerated() {
            let time = (milliseconds?[place] ?? UInt64(place)) * 1_000_000
            file.packet(packet.version4(), time: time, comments: comments[place] ?? [])
        }
        self.init(file.bytes, limits: limits)
    }
}

/// A complete conversation: `hello`, `world`, ended by the client.
let greeting: [Packet] = [
    .client(99, .syn), .server(499, [.syn, .ack], ack: 100), .client(100, .ack, "hello", ack: 500),
    .server(500, .ack, "world", ack: 105), .client(105, [.fin, .ack], ack: 505),
    .server(505, [.fin, .ack], ack: 106), .client(106, .ack, ack: 506),
]
