import Foundation
import Testing

@testable import Recording

/// Malicious captures yield an error or a skipped packet, never a trap, an endless loop or unbounded memory.
struct HostileCaptureTests {
    /// A section and an interface, then one block with the given lengths.
    private func file(_ order: ByteOrder = .little, length: UInt32, last: UInt32? = nil, type: UInt32 = 6) -> [UInt8] {
        var file = Pcapng(order)
        file.interface()
        for packet in greeting { file.packet(packet.version4()) }
        var wire = Wire(order)
        wire.add(type)
        wire.add(length)
        wire.add([UInt8](repeating: 0, count: 20))
        wire.add(last ?? length)
        return file.bytes + wire.bytes
    }

    @Test(arguments: [0, 1, 3, 4, 8, 11, 13, 30, 33] as [UInt32], [ByteOrder.little, .big])
    func impossibleLength_isAnErrorAtItsPlace_andAllBeforeItIsRead(length: UInt32, order: ByteOrder) {
        let capture = file(order, length: length)
        let reading = Reading(capture)
        #expect(reading.error == .impossibleLength(offset: UInt64(capture.count - 32), length: UInt64(length)))
        #expect(reading.pieces == ["1 up hello", "1 down world"])
        #expect(reading.conversations.count == 1)
    }

    @Test(arguments: [0xFFFF_FFFC, 0x7FFF_FFFC, 0x8000_0000, 16 << 20 + 4] as [UInt32])
    func lengthPastTheBound_isAnErrorAtOnce(length: UInt32) {
        let capture = file(length: length)
        #expect(Reading(capture).error == .tooLong(offset: UInt64(capture.count - 32), length: UInt64(length)))
        #expect(Reading(capture).pieces.count == 2)
    }

    @Test func length0xFFFFFFFF_isAnError() {
        #expect(Reading(file(length: .max)).error?.offset != nil)
        var wire = Wire(.little)
        wire.add([UInt8](repeating: 0, count: 8))
        wire.add(UInt32.max)
        wire.add(UInt32.max)
        let capture = pcap(greeting.map { $0.version4() }) + wire.bytes
        let reading = Reading(capture)
        #expect(reading.error == .tooLong(offset: UInt64(capture.count - 16), length: UInt64(UInt32.max)))
        #expect(reading.pieces.count == 2)
    }

    @Test func lengthsThatDiffer_areAnError() {
        let capture = file(length: 32, last: 36, type: 99)
        #expect(
            Reading(capture).error == .lengthsDiffer(offset: UInt64(capture.count - 32), first: 32, last: 36))
    }

    @Test func byteOrderReversedInMidFile_isAnError() {
        var reversed = Pcapng(.big)
        reversed.interface()
        // Blocks of the other byte order, without their section header.
        var file = Pcapng(.little)
        file.interface()
        let reading = Reading(file.bytes + Array(reversed.bytes.dropFirst(28)))
        #expect(reading.error?.offset == UInt64(file.bytes.count))
        // An invalid byte-order magic.
        var damaged = Pcapng().bytes
        damaged[8] = 0
        #expect(Reading(damaged).error == .noByteOrder(offset: 0))
    }

    @Test func capturedLengthBeyondTheBlock_leavesThatPacketOut() {
        for captured in [41, 64, 1000, 0x7FFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFC] as [UInt32] {
            var file = Pcapng()
            file.interface()
            file.packet(greeting[0].version4(), captured: captured)
            for packet in greeting { file.packet(packet.version4()) }
            let reading = Reading(file.bytes)
            #expect(reading.error == nil)
            #expect(reading.skipped.packets[.damaged] == 1, "\(captured)")
            #expect(reading.pieces == ["1 up hello", "1 down world"])
        }
    }

    @Test(arguments: [1, 7, 0xFFFF_FFFF] as [UInt32]) func missingInterface_leavesThatPacketOut(interface: UInt32) {
        var file = Pcapng()
        file.simplePacket(greeting[0].version4())
        file.interface()
        file.packet(greeting[0].version4(), interface: interface)
        for packet in greeting { file.packet(packet.version4()) }
        let reading = Reading(file.bytes)
        #expect(reading.skipped.packets[.damaged] == 2)
        #expect(reading.pieces.count == 2)
    }

    @Test func optionsThatRunOut_areIgnored() {
        for options in [[1, 0, 0xFF, 0xFF], [1, 0], [1], [2, 0, 0, 0, 1, 0, 40, 0, 1]] as [[UInt8]] {
            var file = Pcapng()
            var wire = Wire(.little)
            wire.add(UInt32(101))
            wire.add(UInt32(0))
            wire.add(options)
            file.block(1, wire.bytes)
            for packet in greeting { file.packet(packet.version4()) }
            #expect(Reading(file.bytes).pieces.count == 2)
        }
    }

    @Test func unknownVersion_isAnError() {
        var file = Pcapng()
        file.section(major: 9)
        #expect(Reading(file.bytes).error == .unknownVersion(offset: 28, version: "9.0"))
        var old = pcap([])
        old[4] = 7
        #expect(Reading(old).error == .unknownVersion(offset: 4, version: "7.4"))
    }

    @Test(
        arguments: [
            ([], "is empty"),
            (Array("GET / HTTP/1.1\r\n".utf8), "looks like text"),
            ([0x1F, 0x8B, 8, 0], "gzip -dc"),
            ([0x7F, 0x45, 0x4C, 0x46, 2], "a program"),
            ([0xFF, 0xFE, 0, 1, 2], "is not a capture (pcapng or pcap)"),
            ([7], "is not a capture"),
        ] as [([UInt8], String)])
    func otherFile_isNamedByItsFirstBytes(bytes: [UInt8], words: String) throws {
        let error = try #require(Reading(bytes).error)
        #expect("\(error)".contains(words))
    }

    @Test func truncatedAnywhere_readsTheCompletePackets() {
        var file = Pcapng()
        file.interface()
        for packet in greeting { file.packet(packet.version4()) }
        for capture in [file.bytes, pcap(greeting.map { $0.version4() }, order: .big)] {
            for length in 1..<capture.count {
                let reading = Reading(Array(capture[..<length]))
                #expect(reading.error == nil, "\(length)")
                #expect(["1 up hello", "1 down world"].starts(with: reading.pieces))
            }
        }
    }

    @Test func mutations_neverTrapAndAlwaysEnd() {
        var seeds = [
            pcap(greeting.map { $0.version4() }, order: .big, isNanoseconds: true),
            pcap(greeting.map { $0.version6(next: 0, extensions: [6, 0, 0, 0, 0, 0, 0, 0]) }, link: 229),
            pcap(greeting.map { [UInt8](repeating: 9, count: 12) + [8, 0] + $0.version4() }, link: 1),
        ]
        for order in [ByteOrder.little, .big] {
            var file = Pcapng(order)
            file.interface([(2, Array("lo".utf8)), (9, [0x8A]), (14, [UInt8](repeating: 0, count: 8))])
            for (place, packet) in greeting.enumerated() {
                var comment = RecordingComment(place == 0 ? .opened : .gap, id: 7)
                comment.droppedBytes = place == 3 ? 100 : nil
                file.packet(packet.version4(), comments: [comment.text], isInbound: true)
                file.simplePacket(packet.version4())
                file.oldPacket(packet.version4())
            }
            seeds.append(file.bytes)
        }
        var random = Random(seed: 20_261_122)
        for round in 0..<20_000 {
            var capture = seeds[round % seeds.count]
            for _ in 0...random.next(below: 4) { mutate(&capture, &random) }
            let reading = Reading(capture, piece: [17, 256, 4096][round % 3])
            if reading.bytes > capture.count { Issue.record("round \(round) made up bytes") }
            if reading.conversations.count != reading.opened { Issue.record("round \(round) lost a conversation") }
        }
    }

    private func mutate(_ capture: inout [UInt8], _ random: inout Random) {
        guard !capture.isEmpty else { return }
        let place = random.next(below: capture.count)
        switch random.next(below: 6) {
        case 0: capture[place] ^= 1 << UInt8(random.next(below: 8))
        case 1: capture[place] = [0, 1, 0x7F, 0x80, 0xFF][random.next(below: 5)]
        case 2: capture.removeSubrange(place..<min(capture.count, place + 1 + random.next(below: 40)))
        case 3:
            let end = min(capture.count, place + 1 + random.next(below: 80))
            capture.insert(contentsOf: capture[place..<end], at: random.next(below: capture.count))
        case 4:
            for byte in place..<min(capture.count, place + 4) { capture[byte] = UInt8(random.next(below: 256)) }
        default: capture.removeSubrange(place...)
        }
    }

    @Test func corpusOfFirstBytes_isRecognisedWithinBounds() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Fuzz/corpus/protocol").standardizedFileURL
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        var families: Set<Recording.`Protocol`.Family> = []
        for name in files {
            let input = Array(try Data(contentsOf: folder.appendingPathComponent(name)))
            guard input.count > 2 else { continue }
            // The first two bytes are the length of the client's part.
            let border = min(Int(input[0]) << 8 | Int(input[1]), input.count - 2)
            let bytes = input.dropFirst(2)
            let known = Protocol.recognise(up: Array(bytes.prefix(border)), down: Array(bytes.dropFirst(border)))
            #expect(known.detail?.count ?? 0 <= 200, "\(name)")
            families.insert(known.family)
        }
        #expect(families.count >= 10, "\(families)")
    }

    /// Sequences of segments and gap comments.
    @Test func corpusOfSegments_neverTrapsAndAlwaysEnds() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Fuzz/corpus/segment").standardizedFileURL
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(files.count >= 7)
        for name in files {
            let script = SegmentScript(Array(try Data(contentsOf: folder.appendingPathComponent(name))))
            let reading = Reading(script.capture)
            #expect(reading.error == nil, "\(name)")
            #expect(reading.bytes <= script.payloadBytes, "\(name)")
            #expect(reading.conversations.count == reading.opened, "\(name)")
        }
    }

    @Test func twoHugeGaps_endWithTheFirstOneBelieved() {
        let gap = (1 << 62) - 1 as UInt64
        var comment = RecordingComment(.gap, id: 1)
        comment.droppedBytes = gap
        let reading = Reading(
            [.client(1, [], "a"), .client(100, [], "b")], comments: [0: [comment.text], 1: [comment.text]])
        #expect(reading.pieces.prefix(2) == ["1 up -\(gap)", "1 up a"])
        #expect(reading.pieces.last == "1 up b")
    }

    /// The fuzzer's corpus; the first byte is the size of the pieces of the rest.
    @Test func corpus_neverTrapsAndAlwaysEnds() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Fuzz/corpus/recording").standardizedFileURL
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(files.count >= 20)
        var conversations = 0
        for name in files {
            let bytes = Array(try Data(contentsOf: folder.appendingPathComponent(name)))
            let first = try #require(bytes.first)
            let reading = Reading(Array(bytes.dropFirst()), piece: first == 0 ? max(bytes.count, 1) : Int(first))
            #expect(reading.bytes <= bytes.count, "\(name)")
            #expect(reading.conversations.count == reading.opened, "\(name)")
            conversations += reading.conversations.count
        }
        #expect(conversations >= 20)
    }
}

/// SplitMix64: the same numbers for the same seed, everywhere.
struct Random {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next(below bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return Int((mixed ^ mixed >> 31) % UInt64(bound))
    }
}
