public import Text

/// Reads a recording as conversations with their bytes in order.
///
/// Append input, get events until there are none, and call `finish` at the end of the input:
///
///     let reader = RecordingReader()
///     while case let bytes = try input.read(), !bytes.isEmpty {
///         reader.append(bytes)
///         while let event = try reader.next() { show(event) }
///     }
///     try reader.finish()
///     while let event = try reader.next() { show(event) }
///
/// It reads Tapline's recordings and other captures, pcapng and pcap, and uses Tapline's comments where present
/// (`RecordingComment`). Its memory is bounded for any input: one block, 32 MiB of early segments, and some kilobytes
/// for each of at most 32,768 conversations. One thread at a time.
public final class RecordingReader {
    private var capture = CaptureReader()
    private var layers = PacketLayers()
    private var table: ConversationTable
    private var events: [RecordingEvent] = []
    private var nextEvent = 0
    /// Whether the input has ended.
    private var isFinished = false
    /// Whether the rest of the capture cannot be read.
    private var hasFailed = false
    /// Whether `events` contains the last events.
    private var hasLastEvents = false
    private var skippedPackets = SkippedPackets()

    /// A reader at the start of a recording. `keepsPrefixes` keeps the first bytes of each flow for
    /// `RecordedConversation.protocol`.
    public convenience init(keepsPrefixes: Bool = true) {
        self.init(keepsPrefixes: keepsPrefixes, limits: ReassemblyLimits())
    }

    /// A reader with other limits.
    init(keepsPrefixes: Bool, limits: ReassemblyLimits) {
        table = ConversationTable(limits: limits, keepsPrefixes: keepsPrefixes)
    }

    /// The packets without visible data so far, by cause.
    public var skipped: SkippedPackets {
        var all = skippedPackets
        all.add(table.skipped)
        all.add(.damaged, packets: capture.damaged)
        all.add(.fragment, packets: layers.incompleteFragments)
        return all
    }

    /// The number of TCP segments so far.
    public private(set) var segments: UInt64 = 0

    /// Bytes of an incomplete last block. If this is not 0 at the end of the input, the recording was truncated.
    public var unread: Int { capture.unread }

    /// The number of input bytes read, in complete blocks.
    public var offset: UInt64 { capture.offset }

    /// Adds the next bytes of the input.
    public func append(_ bytes: [UInt8]) {
        capture.append(bytes)
    }

    /// The next event; nil until more bytes are added. Throws if the rest of the capture cannot be read; after `finish`
    /// it returns the remaining events of what was read before.
    public func next() throws(CaptureError) -> RecordingEvent? {
        while true {
            if nextEvent < events.count {
                defer { nextEvent += 1 }
                return events[nextEvent]
            }
            events.removeAll(keepingCapacity: true)
            nextEvent = 0
            if hasLastEvents { return nil }
            // After a failure this throws again until `finish` was called.
            if !(isFinished && hasFailed), let packet = try nextPacket() {
                process(packet)
                continue
            }
            guard isFinished else { return nil }
            table.finish(into: &events)
            hasLastEvents = true
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

    /// Ends the input: `next` then returns the remaining events and ends open conversations. Throws if the input was
    /// not a capture.
    public func finish() throws(CaptureError) {
        guard !isFinished else { return }
        isFinished = true
        try capture.finish()
    }

    // MARK: Several files

    /// Ends one file of several. Throws if it was not a capture.
    public func finishFile() throws(CaptureError) {
        try capture.finish()
    }

    /// Begins the next of several files of one recording, such as the files of one relay in the order of their names:
    /// connections that were open at the end of the previous file continue, if Tapline's comments say that they are the
    /// same. `offset` and `unread` count in the next file from now on.
    public func beginNextFile() {
        skippedPackets.add(.damaged, packets: capture.damaged)
        capture = CaptureReader()
        hasFailed = false
        table.beginNextFile()
    }

    /// The time of the first packet in the first bytes of a capture; nil if there is none.
    public static func time(ofFirstPacketIn bytes: [UInt8]) -> Timestamp? {
        var capture = CaptureReader()
        capture.append(bytes)
        guard let packet = try? capture.next() else { return nil }
        return Timestamp(nanoseconds: packet.time)
    }

    private func process(_ packet: CapturedPacket) {
        switch layers.read(packet) {
        case .segment(let segment):
            segments &+= 1
            table.process(segment, of: packet, into: &events)
        case .skipped(.damaged, let packets) where packet.originalLength > packet.bytes.count:
            skippedPackets.add(.cut, packets: packets)
        case .skipped(let cause, let packets): skippedPackets.add(cause, packets: packets)
        case .waiting: break
        }
    }
}
