/// An incremental reader of captures (draft-ietf-opsawg-pcapng and draft-ietf-opsawg-pcap).
///
/// It buffers at most one block of 16 MiB plus the caller's latest bytes. One thread at a time.
struct CaptureReader {
    /// The longest accepted block, bytes. Tapline's blocks have 64 KiB and tcpdump's at most 256 KiB; a longer one is
    /// damage or an attempt to exhaust memory.
    static let longestBlock = 16 * 1024 * 1024

    private enum Format {
        case unknown
        case pcapng(PcapngSection)
        case pcap(PcapFile)
    }

    private var format = Format.unknown
    private var buffer: [UInt8] = []
    /// The next block's start in the buffer.
    private var start = 0
    /// The next block's start in the input.
    private(set) var offset: UInt64 = 0
    /// Thrown again by every further call.
    private var failure: CaptureError?
    /// Packets in complete blocks with invalid contents.
    private(set) var damaged: UInt64 = 0

    /// Bytes of an incomplete block.
    var unread: Int { buffer.count - start }

    /// Adds the next bytes of the input.
    mutating func append(_ bytes: [UInt8]) {
        guard failure == nil else { return }
        if start > 0 {
            buffer.removeSubrange(..<start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next packet; nil until more bytes are added.
    mutating func next() throws(CaptureError) -> CapturedPacket? {
        if let failure { throw failure }
        do {
            while true {
                switch try step() {
                case .packet(let packet): return packet
                case .nothing: continue
                case .damaged: damaged += 1
                case .incomplete: return nil
                }
            }
        } catch {
            failure = error
            throw error
        }
    }

    /// The result of reading one block.
    enum Step {
        case packet(CapturedPacket)
        /// A block without a packet.
        case nothing
        /// A packet with invalid contents.
        case damaged
        /// More bytes are needed.
        case incomplete
    }

    private mutating func step() throws(CaptureError) -> Step {
        let rest = buffer[start...]
        switch format {
        case .unknown:
            return try recognise(rest)
        case .pcapng(var section):
            // Moved out of `format`, so that changing its interfaces does not copy them.
            format = .unknown
            defer { format = .pcapng(section) }
            guard let length = try section.length(ofBlockIn: rest, offset: offset) else { return .incomplete }
            let step = try section.read(rest.prefix(length), offset: offset)
            advance(length)
            return step
        case .pcap(let file):
            guard let (packet, length) = try file.packet(in: rest, offset: offset) else { return .incomplete }
            advance(length)
            return .packet(packet)
        }
    }

    private mutating func advance(_ count: Int) {
        start += count
        offset += UInt64(count)
    }

    // MARK: Format

    private mutating func recognise(_ bytes: ArraySlice<UInt8>) throws(CaptureError) -> Step {
        guard let magic = bytes.number32(at: 0) else { return .incomplete }
        if magic == PcapngSection.headerType {
            format = .pcapng(PcapngSection())
            return .nothing
        }
        guard let kind = PcapFile.Kind(magic: magic) else {
            throw .notACapture(looksLike: FileKind.of(bytes))
        }
        guard let header = bytes.part(at: 0, count: PcapFile.headerLength) else { return .incomplete }
        format = .pcap(try PcapFile(kind, header: header))
        advance(PcapFile.headerLength)
        return .nothing
    }

    /// Ends the input. Throws if it was not a capture; an incomplete block is no error.
    mutating func finish() throws(CaptureError) {
        guard failure == nil, case .unknown = format else { return }
        guard unread > 0 else { throw .empty }
        let rest = buffer[start...]
        let beginnings: [[UInt8]] = [[0x0A, 0x0D, 0x0D, 0x0A]] + PcapFile.Kind.magics
        if beginnings.contains(where: { $0.starts(with: rest.prefix(4)) }) { return }
        throw .notACapture(looksLike: FileKind.of(rest))
    }
}
