public import Sockets

/// One pcapng output, a file or a live stream, as the blocks that it is made of.
///
/// It knows what the output has been told already: its interfaces, its conversations, its names. A value, owned by
/// whoever writes, on one thread at a time: a copy taken before a batch puts everything back when the batch could not
/// be written. Rotation is a fresh value for each file.
public struct PcapngOutput {
    /// What an output that a conversation did not begin in comes after.
    public enum Kind: Hashable, Sendable {
        /// The first file of a recording, or a live stream: what was open before is joined in its middle.
        case first
        /// A file after another one: what was open before goes on from there.
        case continuation
    }

    /// How many packets it was given, of all interfaces.
    public private(set) var packets: UInt64 = 0
    private let application: String
    private let kind: Kind
    private var interfaces = InterfaceTable()
    /// The interface of each conversation that was introduced and has not ended.
    private var introduced = IDTable<Int>()
    /// What this output left out of a conversation and has not told yet; nearly always empty.
    private var omissions: [UInt64: Omission] = [:]
    private var names: Set<Name> = []

    private struct Omission {
        var up: UInt64 = 0
        var down: UInt64 = 0
    }

    private struct Name: Hashable {
        let address: SocketAddress
        let name: String
    }

    /// Past so many names they are told anew, so that names that change for ever do not fill the memory.
    private static let mostNames = 4096

    /// An output that nothing was written to. `application` is Tapline's name and version, as `tapline 1.0`.
    public init(application: String, kind: Kind = .first) {
        self.application = application
        self.kind = kind
    }

    // MARK: Beginning and end

    /// Appends the block that every pcapng file begins with.
    public mutating func begin(into buffer: OutputBuffer) {
        let block = PcapngBlock(.section, in: buffer)
        // The byte-order magic, version 1.0, and a section of unknown length.
        buffer.append(littleEndian: UInt32(0x1A2B_3C4D))
        buffer.append(littleEndian: UInt32(0x0000_0001))
        buffer.append(littleEndian: UInt64.max)
        buffer.append(option: .third, text: "Linux")
        buffer.append(option: .fourth, text: application)
        block.endWithOptions(in: buffer)
    }

    /// Appends the statistics of the interfaces, at the end of the file or of the recording.
    public mutating func end(time: Int64, into buffer: OutputBuffer) {
        interfaces.appendStatistics(time: time, to: buffer)
    }

    // MARK: Packets

    /// Appends a segment of a conversation that has just made it, and before it the blocks that it needs: its
    /// interface, and the upstream's name. `payload` is all of the bytes of the event that the segment was made of.
    public mutating func append(
        _ segment: Segment, of conversation: Conversation, payload: RawSpan, to buffer: OutputBuffer
    ) {
        let id = conversation.id
        let known = introduced[id]
        let interface = known ?? introduce(conversation, time: segment.time, in: buffer)
        if known == nil || segment.occasion == .connected { appendName(of: conversation, to: buffer) }
        let omitted = omissions.isEmpty ? 0 : takeOmission(id, segment.direction)
        let gap = segment.gapBytes &+ omitted
        let drops = interfaces.count(packetOn: interface, drops: segment.gapSegments)
        packets &+= 1

        let packetCount = PacketHeaders.packetCount(segment, conversation.path)
        buffer.reserve(packetCount + 128)
        let block = PcapngBlock(.packet, in: buffer)
        let time = UInt64(max(0, segment.time))
        let length = UInt32(truncatingIfNeeded: packetCount)
        // Two fields at a time: the interface, the halves of the time, the two lengths.
        buffer.append(count: 20) { fields in
            fields.store(littleEndian: UInt64(UInt32(truncatingIfNeeded: interface)) | (time >> 32) << 32, at: 0)
            fields.store(littleEndian: time & 0xFFFF_FFFF | UInt64(length) << 32, at: 8)
            fields.store(littleEndian: length, at: 16)
        }
        PacketHeaders.append(segment, conversation.path, payload: payload, to: buffer)
        buffer.padToFour()
        // As seen from the listener: what the client sent is inbound (1), what it gets is outbound (2).
        buffer.append(option: .second, number: UInt32(segment.direction == .up ? 1 : 2))
        if drops > 0 { buffer.append(option: .fourth, number: drops) }
        if known == nil || segment.occasion != .none || gap > 0 {
            appendComments(segment, of: conversation, isIntroduction: known == nil, gap: gap, to: buffer)
        }
        block.endWithOptions(in: buffer)
        if segment.isLast { forget(id) }
    }

    private mutating func introduce(
        _ conversation: Conversation, time: Int64, in buffer: OutputBuffer
    ) -> Int {
        let interface = interfaces.index(of: conversation.origin, time: time, in: buffer)
        introduced[conversation.id] = interface
        return interface
    }

    private func appendComments(
        _ segment: Segment, of conversation: Conversation, isIntroduction: Bool, gap: UInt64,
        to buffer: OutputBuffer
    ) {
        if isIntroduction, segment.occasion != .opened {
            let isJoined = segment.isJoining || kind == .first
            buffer.append(comment: conversation.introduction(isJoined ? .joined : .continued, at: segment))
        }
        if gap > 0 {
            var comment = RecordingComment(.gap, id: conversation.id)
            comment.droppedBytes = gap
            buffer.append(comment: comment)
        }
        if let comment = conversation.comment(segment.occasion) { buffer.append(comment: comment) }
    }

    // MARK: What was left out

    /// This output leaves bytes out that its conversation has counted as passed, for its disk is full or its reader too
    /// slow: the next packet of the interface and the next segment of the flow will tell.
    public mutating func dropped(
        _ conversation: Conversation, direction: Direction, bytes: UInt64, segments: UInt64
    ) {
        interfaces.count(drops: segments, of: conversation.origin)
        guard bytes > 0 else { return }
        switch direction {
        case .up: omissions[conversation.id, default: Omission()].up &+= bytes
        case .down: omissions[conversation.id, default: Omission()].down &+= bytes
        }
    }

    /// This output leaves out a segment, with the gap that it would have told of.
    public mutating func dropped(_ segment: Segment, of conversation: Conversation) {
        dropped(
            conversation, direction: segment.direction, bytes: UInt64(segment.payloadCount) &+ segment.gapBytes,
            segments: 1 &+ segment.gapSegments)
        if segment.isLast { forget(conversation.id) }
    }

    /// How many bytes of a flow it left out and has not told of yet.
    public func omitted(of id: UInt64, _ direction: Direction) -> UInt64 {
        guard let omission = omissions[id] else { return 0 }
        return direction == .up ? omission.up : omission.down
    }

    /// Nothing more will come of a conversation.
    public mutating func forget(_ id: UInt64) {
        introduced[id] = nil
        omissions[id] = nil
    }

    private mutating func takeOmission(_ id: UInt64, _ direction: Direction) -> UInt64 {
        guard var omission = omissions[id] else { return 0 }
        let bytes = direction == .up ? omission.up : omission.down
        switch direction {
        case .up: omission.up = 0
        case .down: omission.down = 0
        }
        omissions[id] = omission.up == 0 && omission.down == 0 ? nil : omission
        return bytes
    }

    // MARK: Names

    /// Tells once by which name an upstream's address was found.
    private mutating func appendName(of conversation: Conversation, to buffer: OutputBuffer) {
        guard let name = conversation.origin.upstreamName, let address = conversation.upstreamAddress else { return }
        if names.count >= Self.mostNames { names.removeAll() }
        let kind: UInt16
        switch address {
        case .ipv4: kind = 1
        case .ipv6: kind = 2
        case .unix: return
        }
        guard names.insert(Name(address: address.with(port: 0), name: name)).inserted else { return }
        let block = PcapngBlock(.names, in: buffer)
        buffer.append(littleEndian: kind)
        let text = name.utf8.prefix(1024)
        buffer.append(littleEndian: UInt16((kind == 1 ? 4 : 16) + text.count + 1))
        switch address {
        case .ipv4(let ip, _):
            buffer.append(bigEndian: ip.bits)
        case .ipv6(let ip, _, _):
            buffer.append(bigEndian: ip.high)
            buffer.append(bigEndian: ip.low)
        case .unix: break
        }
        buffer.append(Array(text))
        buffer.append(UInt8(0))
        buffer.padToFour()
        // The record that ends the records.
        buffer.append(littleEndian: UInt32(0))
        block.end(in: buffer)
    }
}

extension OutputBuffer {
    fileprivate func append(comment: RecordingComment) {
        append(option: .comment, text: comment.text)
    }
}
