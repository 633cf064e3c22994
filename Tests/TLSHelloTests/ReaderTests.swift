import TestSupport
import Testing

@testable import TLSHello

/// A ClientHello in segments and records of any size.
@Suite struct ReaderTests {
    /// The result for bytes in pieces of `piece` bytes.
    static func read(_ bytes: [UInt8], piece: Int) -> (reading: ClientHelloReader.Reading, after: Int) {
        var reader = ClientHelloReader()
        var count = 0
        while true {
            count = min(bytes.count, count + piece)
            let reading = reader.read(Array(bytes.prefix(count)))
            if reading != .incomplete || count == bytes.count { return (reading, count) }
        }
    }

    private static let hello = ClientHello(name: "www.example.com", applications: ["h2"], keyShare: 1200)

    @Test(arguments: [1, 2, 3, 4, 5, 7, 100, 1000, 16_384], [1, 3, 5, 64, 1460, 100_000])
    func hello_inRecordsAndSegmentsOfAnySize_isTheSame(record: Int, piece: Int) {
        let bytes = Self.hello.bytes(record: record)
        let (reading, after) = Self.read(bytes, piece: piece)
        guard case .complete(let hello) = reading else {
            Issue.record("\(reading)")
            return
        }
        #expect(hello.serverName == Array("www.example.com".utf8))
        #expect(after == bytes.count, "not before its last byte")
    }

    @Test(arguments: [1, 50, 16_384]) func helloWithoutItsLastByte_isIncomplete(record: Int) {
        let bytes = Self.hello.bytes(record: record)
        var reader = ClientHelloReader()
        for count in 0..<bytes.count {
            #expect(reader.read(Array(bytes.prefix(count))) == .incomplete, "\(count)")
        }
    }

    @Test(
        arguments: [
            (Array("G".utf8), .noTLS(beginning: [0x47])), ([0x16, 2], .noTLS(beginning: [0x16, 2])),
            // An alert, an empty record, a record that is too long.
            ([21, 3, 3, 0, 2], .noTLS(beginning: [21, 3, 3, 0, 2])),
            ([22, 3, 1, 0, 0], .noTLS(beginning: [22, 3, 1, 0, 0])),
            ([22, 3, 1, 0x40, 1], .noTLS(beginning: [22, 3, 1, 0x40, 1])),
            // A ServerHello, a HelloRequest (RFC 5246, section 7.4.1.1).
            ([22, 3, 1, 0, 1, 2], .noClientHello), ([22, 3, 1, 0, 4, 0], .noClientHello),
            // A hello of 16 MiB.
            ([22, 3, 1, 0x40, 0, 1, 0xFF, 0xFF, 0xFF], .tooLong),
            // Another record between those of the hello.
            ([22, 3, 1, 0, 5, 1, 0, 1, 0, 0, 23], .malformed), ([22, 3, 1, 0, 2, 1, 0, 22, 3, 1, 0, 0], .malformed),
            // SSL 2.
            ([0x80, 0x2E, 1, 3, 1], .noTLS(beginning: [0x80, 0x2E, 1, 3, 1])),
        ] as [([UInt8], ClientHelloFault)])
    func otherBytes_areAFaultWithTheFirstInvalidByte(bytes: [UInt8], fault: ClientHelloFault) {
        #expect(Self.read(bytes, piece: 100) == (.faulty(fault), bytes.count))
        let (reading, after) = Self.read(bytes, piece: 1)
        guard case .faulty(let other) = reading else {
            Issue.record("\(reading)")
            return
        }
        #expect(after <= bytes.count)
        if case .noTLS = fault { return }
        #expect(other == fault && after == bytes.count)
    }

    /// With one byte per record, six on the wire, the limit applies to the bytes on the wire.
    @Test func manyTinyRecords_areReadToTheBoundAndNotBeyond() {
        let fits = ClientHello(name: "a.example", keyShare: 10_000).bytes(record: 1)
        #expect(fits.count < ClientHelloReader.longest)
        guard case .complete = Self.read(fits, piece: 4096).reading else {
            Issue.record("not read")
            return
        }
        let tooMany = ClientHello(name: "a.example", keyShare: 12_000).bytes(record: 1)
        #expect(tooMany.count > ClientHelloReader.longest)
        let (reading, after) = Self.read(tooMany, piece: 4096)
        #expect(reading == .faulty(.tooLong) && after == ClientHelloReader.longest)
        #expect(Self.read(tooMany, piece: .max >> 1).reading == .faulty(.tooLong))
    }

    @Test func helloOfTheGreatestLength_isRead() {
        let empty = ClientHello(name: "a.example", keyShare: 1).message.count - 1
        // Leaves room for the record headers.
        let share = ClientHelloReader.longest - empty - 5 * 5
        let bytes = ClientHello(name: "a.example", keyShare: share).bytes()
        guard case .complete = Self.read(bytes, piece: 1460).reading else {
            Issue.record("\(Self.read(bytes, piece: 1460))")
            return
        }
    }

    /// A client that sends single bytes must not make reading expensive: each byte is examined once.
    @Test(arguments: [1, 1000]) func helloByteByByte_isNotReadAgainAndAgain(record: Int) {
        let bytes = Self.hello.bytes(record: record)
        var records = HandshakeRecords()
        var looked = 0
        for count in 1...bytes.count {
            _ = records.advance(over: bytes.prefix(count)) { looked += $0.count }
        }
        #expect(looked == Self.hello.message.count && looked == records.gathered)
        #expect(records.length == looked && records.type == 1)
    }

    // MARK: Incomplete hellos

    @Test func truncatedHello_hasItsLeadingFields() {
        let bytes = Self.hello.bytes(record: 300)
        for count in 6..<bytes.count {
            #expect(Hello(beginningOf: bytes.prefix(count))?.side == .client, "\(count)")
        }
        let cut = Hello(beginningOf: bytes.prefix(200))
        #expect(cut?.serverName == Array("www.example.com".utf8) && cut?.fault == .malformed && cut?.version == 0x0303)
        #expect(Hello(beginningOf: Array("GET / HTTP/1.1".utf8)[...]) == nil)
        #expect(Hello(beginningOf: []) == nil)
    }
}
