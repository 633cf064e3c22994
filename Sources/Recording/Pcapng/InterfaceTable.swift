internal import Sockets

/// The interfaces of one pcapng output, one for each listener, and what they counted; part of a `PcapngOutput`.
///
/// It grows with the listeners, relays and upstreams that a configuration names, never with connections.
struct InterfaceTable {
    /// What tells interfaces apart. The upstream is part of it, for a reload can give a relay another one.
    struct Key: Hashable {
        let relay: String
        let listener: SocketAddress
        let upstream: String

        init(_ origin: ConversationOrigin) {
            relay = origin.relay
            listener = origin.listener
            upstream = origin.upstream
        }
    }

    /// What one interface counted.
    struct Counts {
        var started: Int64
        var packets: UInt64 = 0
        var drops: UInt64 = 0
        /// Of the drops, those that no packet has told of yet.
        var untoldDrops: UInt64 = 0

        @inline(__always)
        mutating func count(drops: UInt64) -> UInt64 {
            packets &+= 1
            self.drops &+= drops
            let told = untoldDrops &+ drops
            untoldDrops = 0
            return told
        }
    }

    private(set) var indices: [Key: Int] = [:]
    private(set) var counts: [Counts] = []
    /// Drops of listeners that have no interface yet.
    private var earlyDrops: [Key: UInt64] = [:]

    /// The number of a conversation's interface; writes its block when it is new.
    mutating func index(of origin: ConversationOrigin, time: Int64, in buffer: OutputBuffer) -> Int {
        let key = Key(origin)
        if let index = indices[key] { return index }
        let block = PcapngBlock(.interface, in: buffer)
        buffer.append(littleEndian: PcapngBlock.linkTypeRaw)
        buffer.append(littleEndian: UInt16(0))
        // No limit on the length of packets.
        buffer.append(littleEndian: UInt32(0))
        buffer.append(option: .second, text: "\(key.relay) \(key.listener)")
        buffer.append(option: .third, text: "to \(key.upstream)")
        buffer.append(option: .timeResolution, count: 1)
        // Units of 10^-9 seconds.
        buffer.append(UInt8(9))
        buffer.padToFour()
        block.endWithOptions(in: buffer)
        let early = earlyDrops.removeValue(forKey: key) ?? 0
        counts.append(Counts(started: time, drops: early, untoldDrops: early))
        indices[key] = counts.count - 1
        return counts.count - 1
    }

    /// Counts a packet that is written, and drops that were found just before it; returns the drops to tell of.
    @inline(__always)
    mutating func count(packetOn index: Int, drops: UInt64) -> UInt64 {
        counts[index].count(drops: drops)
    }

    /// Counts segments that were left out.
    mutating func count(drops: UInt64, of origin: ConversationOrigin) {
        let key = Key(origin)
        if let index = indices[key] {
            counts[index].drops &+= drops
            counts[index].untoldDrops &+= drops
        } else {
            earlyDrops[key, default: 0] &+= drops
        }
    }

    /// Appends the statistics of every interface. Received are, as in libpcap's `pcap_stats`, dropped packets too.
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
