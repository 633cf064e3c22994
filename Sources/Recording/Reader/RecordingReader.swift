/// Reads a recording: gives it back as conversations with their bytes in order.
///
/// Feed it bytes as they come, take events until there are none, and say when the input is over:
///
///     let reader = RecordingReader()
///     while case let bytes = try input.read(), !bytes.isEmpty {
///         reader.append(bytes)
///         while let event = try reader.next() { show(event) }
///     }
///     try reader.finish()
///     while let event = try reader.next() { show(event) }
///
/// Recordings of Tapline's and other captures, pcapng and pcap, are read; what each conversation was, Tapline's own
/// comments say where there are any (`RecordingComment`). The memory that it takes is bounded whatever the capture
/// says: one block, 32 MiB of segments that wait for earlier ones, and some kilobytes for each of at most 32,768
/// conversations. One thread at a time.
public final class RecordingReader {
    private var capture = CaptureReader()
    private var layers = PacketLayers()
    private var table: ConversationTable
    private var events: [RecordingEvent] = []
    private var nextEvent = 0
    /// No more bytes come.
    private var isFinished = false
    /// The capture cannot be read on.
    private var hasFailed = false
    /// The last events are among those that wait.
    private var isTold = false
    private var skippedPackets = SkippedPackets()

    /// A reader at the start of a recording. `keepsPrefixes` says that the first bytes of each flow are kept, for
    /// `RecordedConversation.protocol`.
    public convenience init(keepsPrefixes: Bool = true) {
        self.init(keepsPrefixes: keepsPrefixes, limits: ReassemblyLimits())
    }

    /// A reader with other limits.
    init(keepsPrefixes: Bool, limits: ReassemblyLimits) {
        table = ConversationTable(limits: limits, keepsPrefixes: keepsPrefixes)
    }

    /// How many packets hold nothing to show, by cause, so far.
    public var skipped: SkippedPackets {
        var all = skippedPackets
        all.add(table.skipped)
        all.add(.damaged, packets: capture.damaged)
        all.add(.fragment, packets: layers.incompleteFragments)
        return all
    }

    /// How many packets were TCP segments, so far.
    public private(set) var segments: UInt64 = 0

    /// How many bytes of the last block are there, while it is not whole. After the end of the input anything but 0
    /// says that the recording was cut short.
    public var unread: Int { capture.unread }

    /// How many bytes of the input were read, in whole blocks.
    public var offset: UInt64 { capture.offset }

    /// Adds what comes next in the input.
    public func append(_ bytes: [UInt8]) {
        capture.append(bytes)
    }

    /// The next event; nil when there is none before more bytes come. Throws when the capture cannot be read on; after
    /// that, `finish` gives what was read before it.
    public func next() throws(CaptureError) -> RecordingEvent? {
        while true {
            if nextEvent < events.count {
                defer { nextEvent += 1 }
                return events[nextEvent]
            }
            events.removeAll(keepingCapacity: true)
            nextEvent = 0
            if isTold { return nil }
            // A capture that failed throws again, until its reader has given up on it.
            if !(isFinished && hasFailed), let packet = try nextPacket() {
                take(packet)
                continue
            }
            guard isFinished else { return nil }
            table.finish(into: &events)
            isTold = true
        }
    }

    private func nextPacket() throws(CaptureError) -> CapturedPacket? {
        do {
            return try capture.next()
        } catch {
            hasFailed = true
            throw error
        }
    }

    /// The input is over: the events that are left follow, and conversations that are open end. Throws when it was no
    /// capture at all.
    public func finish() throws(CaptureError) {
        guard !isFinished else { return }
        isFinished = true
        try capture.finish()
    }

    private func take(_ packet: CapturedPacket) {
        switch layers.read(packet) {
        case .segment(let segment):
            segments &+= 1
            table.take(segment, of: packet, into: &events)
        case .skipped(.damaged, let packets) where packet.originalLength > packet.bytes.count:
            skippedPackets.add(.cut, packets: packets)
        case .skipped(let cause, let packets): skippedPackets.add(cause, packets: packets)
        case .waiting: break
        }
    }
}
