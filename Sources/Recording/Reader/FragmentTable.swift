/// Reassembles fragments of IP packets (RFC 791, section 3.2; RFC 8200, section 4.5).
///
/// Of overlapping bytes the first copy is used. Memory is bounded: past a limit the oldest incomplete packet is
/// discarded, and its fragments are counted. Owned by a reader; one thread at a time.
struct FragmentTable {
    /// The identity of a packet.
    struct Key: Hashable {
        var sourceHigh: UInt64 = 0
        var sourceLow: UInt64
        var destinationHigh: UInt64 = 0
        var destinationLow: UInt64
        var identification: UInt32
        var proto: UInt8
        var isIPv4: Bool
    }

    /// A complete packet: its payload and the number of its fragments.
    struct Whole {
        var payload: [UInt8]
        var fragments: UInt64
    }

    fileprivate struct Partial {
        var bytes: [UInt8] = []
        /// The received parts, in order; adjacent parts are merged.
        var parts: [Range<Int>] = []
        /// The packet's length, once the last fragment was received.
        var length: Int?
        var fragments: UInt64 = 0
        /// The capture time and the serial number of the first received fragment.
        var started: Int64
        var serial: UInt64
    }

    /// The longest payload of an IP packet.
    private static let longest = 65_535
    /// The limits of incomplete packets and of their bytes.
    private static let mostPackets = 1024
    static let mostBytes = 8 << 20
    /// The limit of separate parts of one packet: networks do not cause more, and they would cost time.
    private static let mostParts = 64
    /// The timeout of RFC 8200, section 4.5, nanoseconds.
    private static let patience: Int64 = 60_000_000_000

    private var waiting: [Key: Partial] = [:]
    /// Packets in the order of their first fragments, including those completed since.
    private var order = Queue<(key: Key, serial: UInt64)>()
    /// Bytes held for incomplete packets.
    private(set) var bytes = 0
    private var serial: UInt64 = 0
    /// Fragments of discarded packets.
    private(set) var givenUp: UInt64 = 0

    /// Fragments of discarded and incomplete packets.
    var incomplete: UInt64 { waiting.values.reduce(givenUp) { $0 &+ $1.fragments } }

    /// Adds a fragment, and returns the packet if it completes it. `offset` is in bytes.
    mutating func add(
        _ payload: ArraySlice<UInt8>, length: Int, at offset: Int, isLast: Bool, of key: Key, time: Int64
    ) -> Whole? {
        // Without the whole fragment the packet cannot be completed.
        guard payload.count >= length, length > 0, offset >= 0, offset <= Self.longest - length else {
            giveUp(key)
            givenUp &+= 1
            return nil
        }
        if let old = waiting[key], isOver(old, at: time) { giveUp(key) }
        if waiting[key] == nil {
            serial &+= 1
            waiting[key] = Partial(started: time, serial: serial)
            order.append((key, serial))
        }
        makeRoom(for: max(0, offset + length - (waiting[key]?.bytes.count ?? 0)))
        // Removed while it is changed, so that its bytes are not copied. `makeRoom` may have discarded it.
        guard var partial = waiting.removeValue(forKey: key) else {
            givenUp &+= 1
            return nil
        }
        bytes -= partial.bytes.count
        partial.fragments &+= 1
        partial.add(payload.prefix(length), at: offset)
        if isLast { partial.length = partial.length ?? offset + length }
        if let length = partial.length, let first = partial.parts.first, first.lowerBound == 0,
            first.upperBound >= length
        {
            return Whole(payload: Array(partial.bytes.prefix(length)), fragments: partial.fragments)
        }
        guard partial.parts.count <= Self.mostParts else {
            givenUp &+= partial.fragments
            return nil
        }
        bytes += partial.bytes.count
        waiting[key] = partial
        return nil
    }

    private func isOver(_ partial: Partial, at time: Int64) -> Bool {
        let (waited, overflow) = time.subtractingReportingOverflow(partial.started)
        return overflow || waited > Self.patience
    }

    private mutating func giveUp(_ key: Key) {
        guard let partial = waiting.removeValue(forKey: key) else { return }
        bytes -= partial.bytes.count
        givenUp &+= partial.fragments
    }

    /// Discards the oldest packets until `count` more bytes fit.
    private mutating func makeRoom(for count: Int) {
        while waiting.count > Self.mostPackets || bytes > Self.mostBytes - count || order.count > 2 * Self.mostPackets,
            let oldest = order.popFirst()
        {
            if waiting[oldest.key]?.serial == oldest.serial { giveUp(oldest.key) }
        }
    }
}

extension FragmentTable.Partial {
    /// Adds those bytes of a fragment that no earlier fragment had.
    fileprivate mutating func add(_ payload: ArraySlice<UInt8>, at offset: Int) {
        let end = offset + payload.count
        if bytes.count < end { bytes += [UInt8](repeating: 0, count: end - bytes.count) }
        var position = offset
        for part in parts where part.upperBound > position && position < end {
            if part.lowerBound > position { copy(payload, offset, position..<Swift.min(part.lowerBound, end)) }
            position = part.upperBound
        }
        if position < end { copy(payload, offset, position..<end) }
        merge(offset..<end)
    }

    private mutating func copy(_ payload: ArraySlice<UInt8>, _ offset: Int, _ range: Range<Int>) {
        let first = payload.startIndex + (range.lowerBound - offset)
        bytes.replaceSubrange(range, with: payload[first..<first + range.count])
    }

    private mutating func merge(_ range: Range<Int>) {
        var merged = range
        var others: [Range<Int>] = []
        for part in parts {
            if part.lowerBound <= merged.upperBound, merged.lowerBound <= part.upperBound {
                merged = Swift.min(part.lowerBound, merged.lowerBound)..<Swift.max(part.upperBound, merged.upperBound)
            } else {
                others.append(part)
            }
        }
        parts = (others + [merged]).sorted { $0.lowerBound < $1.lowerBound }
    }
}
