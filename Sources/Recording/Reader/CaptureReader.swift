/// Reads the packets of a capture, pcapng or pcap, from bytes as they come.
///
/// It holds what is not read yet: one block of at most 16 MiB and what the caller gives at a time. One thread at a
/// time.
///
/// The formats: draft-ietf-opsawg-pcapng and draft-ietf-opsawg-pcap.
struct CaptureReader {
    /// The longest block that is read, in bytes. Tapline's are 64 KiB and tcpdump's at most 256 KiB; a longer one is a
    /// mistake, or an attempt to fill the memory.
    static let longestBlock = 16 * 1024 * 1024

    private enum Format {
        case unknown
        case pcapng(PcapngSection)
        case pcap(PcapFile)
    }

    private var format = Format.unknown
    private var buffer: [UInt8] = []
    /// Where in the buffer the next block starts.
    private var start = 0
    /// Where in the input that is.
    private(set) var offset: UInt64 = 0
    /// Thrown again by every further call.
    private var failure: CaptureError?
    /// Packets whose block is whole and says nonsense.
    private(set) var damaged: UInt64 = 0

    /// How many bytes wait for the rest of their block.
    var unread: Int { buffer.count - start }

    /// Adds what comes next in the input.
    mutating func append(_ bytes: [UInt8]) {
        guard failure == nil else { return }
        if start > 0 {
            buffer.removeSubrange(..<start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next packet; nil when there is none before more bytes come.
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

    /// What one block comes to.
    enum Step {
        case packet(CapturedPacket)
        /// Nothing to show, go on.
        case nothing
        /// A packet that says nonsense, go on.
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
            // The section is one of few words; its interfaces are shared until they change.
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

    // MARK: Which format it is

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

    /// Says that the input is over. Throws when it was no capture at all; a block that is not whole is none of that.
    mutating func finish() throws(CaptureError) {
        guard failure == nil, case .unknown = format else { return }
        guard unread > 0 else { throw .empty }
        let rest = buffer[start...]
        let beginnings: [[UInt8]] = [[0x0A, 0x0D, 0x0D, 0x0A]] + PcapFile.Kind.magics
        if beginnings.contains(where: { $0.starts(with: rest.prefix(4)) }) { return }
        throw .notACapture(looksLike: FileKind.of(rest))
    }
}
