internal import Sockets

/// The interfaces of one pcapng output, one for each listener, and their counters; part of a `PcapngOutput`.
///
/// It grows with the configured listeners, relays and upstreams, not with connections.
struct InterfaceTable {
    /// The identity of an interface. It includes the upstream, because a reload can change a relay's upstream.
    struct Key: Hashable {
        let relay: String
        let listener: SocketAddress
        let upstream: String
        let leg: Side?

        init(_ origin: ConversationOrigin) {
            relay = origin.relay
            listener = origin.listener
            upstream = origin.upstream
            leg = origin.leg?.side
        }

        var name: String {
            guard let leg else { return "\(relay) \(listener)" }
            return "\(relay) (encrypted, \(leg.rawValue)) \(listener)"
        }
    }

    /// The counters of an interface.
    struct Counts {
        var started: Int64
        var packets: UInt64 = 0
        var drops: UInt64 = 0
        /// Drops that no packet has reported yet.
        var pendingDrops: UInt64 = 0

        @inline(__always)
        mutating func count(drops: UInt64) -> UInt64 {
            packets &+= 1
            self.drops &+= drops
            let reported = pendingDrops &+ drops
            pendingDrops = 0
            return reported
        }
    }

    private(set) var indices: [Key: Int] = [:]
    private(set) var counts: [Counts] = []
    /// Drops of listeners without an interface.
    private var earlyDrops: [Key: UInt64] = [:]

    /// The index of a conversation's interface; writes the block of a new one.
    mutating func index(of origin: ConversationOrigin, time: Int64, in buffer: OutputBuffer) -> Int {
        let key = Key(origin)
        if let index = indices[key] { return index }
        let block = PcapngBlock(.interface, in: buffer)
        buffer.append(littleEndian: PcapngBlock.linkTypeRaw)
        buffer.append(littleEndian: UInt16(0))
        // Snap length 0: no limit.
        buffer.append(littleEndian: UInt32(0))
        buffer.append(option: .second, text: key.name)
        buffer.append(option: .third, text: "to \(key.upstream)")
        buffer.append(option: .timeResolution, count: 1)
        // Units of 10^-9 seconds.
        buffer.append(UInt8(9))
        buffer.padToFour()
        block.endWithOptions(in: buffer)
        let early = earlyDrops.removeValue(forKey: key) ?? 0
        counts.append(Counts(started: time, drops: early, pendingDrops: early))
        indices[key] = counts.count - 1
        return counts.count - 1
    }

    /// Counts a written packet and the drops directly before it; returns the drops that the packet has to report.
    @inline(__always)
    mutating func count(packetOn index: Int, drops: UInt64) -> UInt64 {
        counts[index].count(drops: drops)
    }

    /// Counts dropped segments.
    mutating func count(drops: UInt64, of origin: ConversationOrigin) {
        let key = Key(origin)
        if let index = indices[key] {
            counts[index].drops &+= drops
            counts[index].pendingDrops &+= drops
        } else {
            earlyDrops[key, default: 0] &+= drops
        }
    }

    /// Appends the statistics of every interface. As in libpcap's `pcap_stats`, received packets include dropped ones.
    func appendStatistics(time: Int64, to buffer: OutputBuffer) {
        for (index, counts) in counts.enumerated() {
            let block = PcapngBlock(.statistics, in: buffer)
            buffer.append(littleEndian: UInt32(truncatingIfNeeded: index))
            buffer.append(pcapngTime: time)
            buffer.append(option: .second, count: 8)
            buffer.append(pcapngTime: counts.started)
            buffer.append(option: .third, count: 8)
            buffer.append(pcapngTime: time)
            buffer.append(option: .fourth, number: counts.packets &+ counts.drops)
            buffer.append(option: .fifth, number: counts.drops)
            block.endWithOptions(in: buffer)
        }
    }
}
