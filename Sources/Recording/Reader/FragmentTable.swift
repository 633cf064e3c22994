/// Puts fragments of IP packets together (RFC 791, section 3.2; RFC 8200, section 4.5).
///
/// The first copy of a byte counts. Memory is bounded: past a limit the packet whose first fragment came longest ago is
/// given up, and its fragments are counted. Owned by a reader; one thread at a time.
struct FragmentTable {
    /// What makes fragments parts of one packet.
    struct Key: Hashable {
        var sourceHigh: UInt64 = 0
        var sourceLow: UInt64
        var destinationHigh: UInt64 = 0
        var destinationLow: UInt64
        var identification: UInt32
        var proto: UInt8
        var isIPv4: Bool
    }

    /// A packet that is whole: its payload, and how many fragments it came in.
    struct Whole {
        var payload: [UInt8]
        var fragments: UInt64
    }

    fileprivate struct Partial {
        var bytes: [UInt8] = []
        /// The parts that are there, in order, none of which touch.
        var parts: [Range<Int>] = []
        /// The length of the whole, once the last fragment is there.
        var length: Int?
        var fragments: UInt64 = 0
        /// The capture time of the first fragment that came, and its place in the order of such fragments.
        var started: Int64
        var serial: UInt64
    }

    /// The longest payload of an IP packet.
    private static let longest = 65_535
    /// Packets that are waited for, and bytes that they may hold.
    private static let mostPackets = 1024
    static let mostBytes = 8 << 20
    /// Parts of one packet that do not touch: more are no order that a network makes, and would cost time.
    private static let mostParts = 64
    /// RFC 8200, section 4.5, gives up after 60 seconds.
    private static let patience: Int64 = 60_000_000_000

    private var waiting: [Key: Partial] = [:]
    /// Packets in the order in which their first fragments came; those that are whole by now among them.
    private var order = Queue<(key: Key, serial: UInt64)>()
    /// Bytes that the packets hold.
    private(set) var bytes = 0
    private var serial: UInt64 = 0
    /// Fragments of packets that were given up.
    private(set) var givenUp: UInt64 = 0

    /// Fragments whose packets are not whole, those that are still waited for among them.
    var incomplete: UInt64 { waiting.values.reduce(givenUp) { $0 &+ $1.fragments } }

    /// Takes a fragment; the whole packet once its last missing part has come. `offset` is in bytes.
    mutating func take(
        _ payload: ArraySlice<UInt8>, length: Int, at offset: Int, isLast: Bool, of key: Key, time: Int64
    ) -> Whole? {
        // A capture that cut the fragment does not have the packet either.
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
        // Taken out while it is changed, so that its bytes are not copied. The packet may be the one that was given up.
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

    /// Gives up the oldest packets until `count` bytes more fit.
    private mutating func makeRoom(for count: Int) {
        while waiting.count > Self.mostPackets || bytes > Self.mostBytes - count || order.count > 2 * Self.mostPackets,
            let oldest = order.popFirst()
        {
            if waiting[oldest.key]?.serial == oldest.serial { giveUp(oldest.key) }
        }
    }
}

extension FragmentTable.Partial {
    /// Adds a fragment's bytes where no earlier fragment has any.
    fileprivate mutating func add(_ payload: ArraySlice<UInt8>, at offset: Int) {
        let end = offset + payload.count
        if bytes.count < end { bytes += [UInt8](repeating: 0, count: end - bytes.count) }
        var place = offset
        for part in parts where part.upperBound > place && place < end {
            if part.lowerBound > place { copy(payload, offset, place..<Swift.min(part.lowerBound, end)) }
            place = part.upperBound
        }
        if place < end { copy(payload, offset, place..<end) }
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
