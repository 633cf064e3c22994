public import Sockets

/// An encoder for one pcapng output, a file or a live stream.
///
/// It keeps the interfaces, conversations and names that were already written. A value, owned by the writer, on one
/// thread at a time. Each file needs a new value.
public struct PcapngOutput {
    /// How to introduce a conversation that did not begin in this output.
    public enum Kind: Hashable, Sendable {
        /// The first file of a recording, or a live stream: the recording joins an open connection.
        case first
        /// A later file: the conversation continues from the previous one.
        case continuation
    }

    private let application: String
    private let kind: Kind
    private var interfaces = InterfaceTable()
    /// The interface of each conversation that has a packet in this output and has not ended.
    private var introduced = IDTable<Int>()
    /// Omitted bytes of conversations that no packet has reported yet; nearly always empty.
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

    /// The limit of remembered names, so that changing names cannot fill the memory. Past it, names are written again.
    private static let mostNames = 4096

    /// An output before its first block. `application` is Tapline's name and version, such as `tapline 1.0`.
    public init(application: String, kind: Kind = .first) {
        self.application = application
        self.kind = kind
    }

    // MARK: Beginning and end

    /// Appends the section header block, which begins every pcapng file.
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

    /// Appends the statistics of the interfaces, at the end of the file.
    public mutating func end(time: Int64, into buffer: OutputBuffer) {
        interfaces.appendStatistics(time: time, to: buffer)
    }

    // MARK: Packets

    /// Appends a segment that the conversation has just created, preceded by any missing blocks for its interface and
    /// the upstream's name. `payload` holds all bytes of the event.
    public mutating func append(
        _ segment: Segment, of conversation: Conversation, payload: RawSpan, to buffer: OutputBuffer
    ) {
        let key = conversation.key
        let known = introduced[key]
        let interface = known ?? introduce(conversation, time: segment.time, in: buffer)
        if known == nil || segment.occasion == .connected { appendName(of: conversation, to: buffer) }
        let omitted = omissions.isEmpty ? 0 : takeOmission(key, segment.direction)
        let gap = segment.gapBytes &+ omitted
        let drops = interfaces.count(packetOn: interface, drops: segment.gapSegments)

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
        // From the listener's view: bytes from the client are inbound (1), bytes to the client outbound (2).
        buffer.append(option: .second, number: UInt32(segment.direction == .up ? 1 : 2))
        if drops > 0 { buffer.append(option: .fourth, number: drops) }
        if known == nil || segment.occasion != .none || gap > 0 || !conversation.newSessions.isEmpty {
            appendComments(segment, of: conversation, isIntroduction: known == nil, gap: gap, to: buffer)
        }
        block.endWithOptions(in: buffer)
        if segment.isLast { forget(key) }
    }

    private mutating func introduce(
        _ conversation: Conversation, time: Int64, in buffer: OutputBuffer
    ) -> Int {
        let interface = interfaces.index(of: conversation.origin, time: time, in: buffer)
        introduced[conversation.key] = interface
        // Also in a file in which the conversation continues: with the files before, Wireshark decrypts it.
        appendSecrets(conversation.secrets, to: buffer)
        return interface
    }

    /// Appends keys that the session of a conversation has just derived, before the packets that they decrypt. Keys of
    /// a conversation without packets in this output come before its first one.
    public mutating func append(secrets lines: [UInt8], of conversation: Conversation, to buffer: OutputBuffer) {
        if introduced[conversation.key] != nil { appendSecrets(lines, to: buffer) }
    }

    /// A decryption secrets block with lines of a TLS key log.
    private func appendSecrets(_ lines: [UInt8], to buffer: OutputBuffer) {
        guard !lines.isEmpty else { return }
        let block = PcapngBlock(.secrets, in: buffer)
        buffer.append(littleEndian: PcapngBlock.secretsOfTLS)
        buffer.append(littleEndian: UInt32(truncatingIfNeeded: lines.count))
        buffer.append(lines)
        buffer.padToFour()
        block.end(in: buffer)
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
            var comment = RecordingComment(.gap, id: conversation.origin.id)
            comment.droppedBytes = gap
            buffer.append(comment: comment)
        }
        if let comment = conversation.comment(segment.occasion) { buffer.append(comment: comment) }
        guard !conversation.newSessions.isEmpty else { return }
        for session in conversation.newSessions { buffer.append(comment: conversation.comment(session)) }
        conversation.newSessions = []
    }

    // MARK: Omissions

    /// Notes bytes of a conversation that this output omits, because its disk is full or its reader too slow. The next
    /// packet of the interface and the next segment of the flow report them.
    public mutating func dropped(
        _ conversation: Conversation, direction: Direction, bytes: UInt64, segments: UInt64
    ) {
        interfaces.count(drops: segments, of: conversation.origin)
        guard bytes > 0 else { return }
        switch direction {
        case .up: omissions[conversation.key, default: Omission()].up &+= bytes
        case .down: omissions[conversation.key, default: Omission()].down &+= bytes
        }
    }

    /// Omitted bytes of a flow that no segment has reported yet.
    public func omitted(of id: UInt64, _ direction: Direction) -> UInt64 {
        guard let omission = omissions[id] else { return 0 }
        return direction == .up ? omission.up : omission.down
    }

    /// Forgets a conversation after its last segment.
    private mutating func forget(_ id: UInt64) {
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

    /// Appends a name resolution block for the upstream's address, once per name and address.
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
        // nrb_record_end.
        buffer.append(littleEndian: UInt32(0))
        block.end(in: buffer)
    }
}

extension OutputBuffer {
    fileprivate func append(comment: RecordingComment) {
        append(option: .comment, text: comment.text)
    }
}
