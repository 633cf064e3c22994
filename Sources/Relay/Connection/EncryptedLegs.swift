internal import Recorder
internal import Recording
internal import Sockets

/// The recorded encrypted legs of one connection. Owned by its stages' context, on the worker's thread.
struct EncryptedLegs {
    /// Those that have not ended.
    private var legs: [EncryptedLeg] = []
    /// How many there were: an upstream may be connected several times.
    private var count: UInt8 = 0

    var isEmpty: Bool { legs.isEmpty }

    /// The number of a new leg, from 1 on. Of more than 255 legs of one connection, all but the last have ended.
    mutating func takeNumber() -> UInt8 {
        count = count == .max ? 1 : count + 1
        return count
    }

    mutating func add(_ leg: EncryptedLeg) {
        legs.append(leg)
    }

    /// The leg with a side; nil if it is not recorded.
    subscript(side: Side) -> EncryptedLeg? { legs.first { $0.side == side } }

    /// One recording stops; the connection continues.
    func stop(_ recorder: Recorder) {
        for leg in legs { leg.stop(recorder) }
    }

    /// The leg with a side has ended before its connection.
    mutating func end(_ side: Side, _ end: ConversationEnd) {
        self[side]?.end(end)
        legs.removeAll { $0.side == side }
    }

    /// The connection has ended.
    mutating func end(_ end: ConversationEnd) {
        for leg in legs { leg.end(end) }
        legs = []
    }
}
