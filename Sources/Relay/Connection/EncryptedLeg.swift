internal import Recorder
internal import Recording
internal import Sockets
internal import TLS

/// The recordings of one leg's encrypted bytes, as a conversation of its own, with the keys of its session.
///
/// Owned by the connection, on the worker's thread. The session passes bytes and keys on, from the first byte of the
/// handshake; bytes for which a recorder has no room are missing, also under `block`, because a session cannot wait.
final class EncryptedLeg {
    /// Its addresses.
    let origin: ConversationOrigin
    let side: Side
    private var taps: [ConnectionTap]
    /// Bytes since the handshake began, and those of a dialogue before it.
    private var up: UInt64 = 0
    private var down: UInt64 = 0
    private var hasEnded = false

    /// The recordings of a leg whose session is about to begin; at least one.
    init(_ side: Side, _ origin: ConversationOrigin, taps: [ConnectionTap]) {
        self.side = side
        self.origin = origin
        self.taps = taps
    }

    /// A line of the key log.
    func add(key line: [UInt8]) {
        for tap in taps { tap.add(secrets: line + [UInt8(ascii: "\n")]) }
    }

    /// The dialogue before the handshake. Bytes that were not kept are missing.
    func record(_ dialogue: OpeningDialogue) {
        for (count, way) in [(dialogue.receivedBefore, TLSObserver.Way.received), (dialogue.sentBefore, .sent)] {
            guard count > 0 else { continue }
            for tap in taps { tap.omitted(count) }
            advance(direction(of: way), by: count)
        }
        for message in dialogue.messages {
            let direction = direction(of: message.way)
            for tap in taps {
                tap.record(message.bytes.span.bytes, of: direction, at: offset(in: direction), ticks: message.ticks)
            }
            advance(direction, by: message.bytes.count)
        }
    }

    func record(_ bytes: RawSpan, _ way: TLSObserver.Way) {
        guard !hasEnded else { return }
        let direction = direction(of: way)
        // The peer has ended its half.
        guard bytes.byteCount > 0 else { return ended(direction) }
        for tap in taps { tap.record(bytes, of: direction, at: offset(in: direction)) }
        advance(direction, by: bytes.byteCount)
    }

    private func direction(of way: TLSObserver.Way) -> Direction {
        Direction(from: way == .received ? side : side.other)
    }

    private func offset(in direction: Direction) -> UInt64 { direction == .up ? up : down }

    private func advance(_ direction: Direction, by count: Int) {
        if direction == .up { up &+= UInt64(count) } else { down &+= UInt64(count) }
    }

    /// Tapline has ended its half.
    func endedWriting() { ended(Direction(from: side.other)) }

    private func ended(_ direction: Direction) {
        for tap in taps { tap.flowEnded(direction, at: offset(in: direction)) }
    }

    /// One recording stops; the connection continues.
    func stop(_ recorder: Recorder) {
        guard let index = taps.firstIndex(where: { $0.recorder === recorder }) else { return }
        _ = taps.remove(at: index).stopped()
    }

    /// The leg has ended, with this end of its connection, or of its attempt to connect.
    func end(_ end: ConversationEnd) {
        guard !hasEnded else { return }
        hasEnded = true
        var own = ConversationEnd(
            time: end.time, reason: end.reason, closedBy: end.closedBy, errno: end.errno, bytesUp: up, bytesDown: down,
            recordedBytes: 0, droppedBytes: 0)
        own.upstream = end.upstream
        for tap in taps { tap.ended(own) }
        taps = []
    }
}
