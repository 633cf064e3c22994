import Sockets
import Testing

@testable import ProxyProtocol

/// Section 2.2 of the specification, rule by rule.
@Suite struct VersionTwoTests {
    private static func path(_ text: String) -> [UInt8] {
        Array(text.utf8) + Array(repeating: 0, count: 108 - text.utf8.count)
    }

    static let good: [(bytes: [UInt8], endpoints: ProxyHeader.Endpoints?)] = [
        (version2(addresses4), endpoints4),
        (version2(0x21, 0x21, addresses6), endpoints6),
        (
            version2(0x21, 0x31, path("/run/c") + path("/run/s")),
            .init(source: .unix(path: "/run/c"), destination: .unix(path: "/run/s"))
        ),
        (
            version2(0x21, 0x31, path("") + path("\u{0}abstract")),
            .init(source: .unix(path: ""), destination: .unix(path: "@abstract"))
        ),
        // A path that fills its field has no NUL.
        (
            version2(0x21, 0x31, Array(repeating: 0x61, count: 108) + path("/s")),
            .init(source: .unix(path: String(repeating: "a", count: 108)), destination: .unix(path: "/s"))
        ),
        // LOCAL: only the length matters, and not the family.
        (version2(0x20, 0x00, []), nil), (version2(0x20, 0x11, addresses4), nil),
        (version2(0x20, 0xFF, [1, 2, 3]), nil), (version2(0x20, 0x21, []), nil),
        // Unspecified or not a stream.
        (version2(0x21, 0x00, []), nil), (version2(0x21, 0x00, [9, 9, 9, 9]), nil),
        (version2(0x21, 0x12, addresses4), nil), (version2(0x21, 0x22, addresses6), nil),
        (version2(0x21, 0x32, []), nil), (version2(0x21, 0x10, addresses4), nil), (version2(0x21, 0x01, []), nil),
        (version2(0x21, 0x02, []), nil),
    ]

    @Test(arguments: good.indices) func header_hasItsEndpoints(_ index: Int) {
        let (bytes, endpoints) = Self.good[index]
        let header = ProxyHeader(version: .v2, endpoints: endpoints)
        #expect(ProxyHeader.read(bytes) == .complete(header, length: bytes.count))
        #expect(ProxyHeader.read(bytes + [0x0D, 0x0A]) == .complete(header, length: bytes.count))
        for count in 0..<bytes.count {
            #expect(ProxyHeader.read(Array(bytes.prefix(count))) == .incomplete, "\(count) bytes")
        }
    }

    @Test(
        arguments: [
            (version2(0x11, 0x11, addresses4), .version(1), 13), (version2(0x31, 0x11, addresses4), .version(3), 13),
            (version2(0x22, 0x11, addresses4), .command(2), 13), (version2(0x2F, 0x11, addresses4), .command(15), 13),
            (version2(0x21, 0x41, addresses4), .family(0x41), 14),
            (version2(0x21, 0x13, addresses4), .family(0x13), 14),
            (version2(0x21, 0xFF, addresses4), .family(0xFF), 14),
            (version2(0x21, 0x11, Array(addresses4.dropLast())), .addresses, 16),
            (version2(0x21, 0x21, Array(addresses6.dropLast())), .addresses, 16),
            (version2(0x21, 0x31, Array(repeating: 0, count: 215)), .addresses, 16),
            (version2(0x21, 0x11, [], length: 0xFFFF), .tooLong(16 + 0xFFFF), 16),
            (version2(0x20, 0x00, [], length: ProxyHeader.longest - 15), .tooLong(ProxyHeader.longest + 1), 16),
        ] as [([UInt8], ProxyHeaderFault, Int)])
    func header_thatIsNotAsItMustBe_isFaultyAsSoonAsThatIsKnown(
        _ bytes: [UInt8], _ fault: ProxyHeaderFault, _ known: Int
    ) {
        #expect(faults(bytes) == fault)
        #expect(faults(Array(bytes.prefix(known))) == fault)
        #expect(ProxyHeader.read(Array(bytes.prefix(known - 1))) == .incomplete)
    }

    @Test func signature_mustBeWhole() {
        let bytes = version2(addresses4)
        for place in 1..<12 {
            var wrong = bytes
            wrong[place] ^= 1
            #expect(faults(Array(wrong.prefix(place + 1))) == .noHeader(beginning: Array(wrong.prefix(place + 1))))
        }
    }

    @Test func longestHeader_isRead() {
        let block = addresses4 + tlv(0xE0, Array(repeating: 7, count: ProxyHeader.longest - 16 - 12 - 3))
        let bytes = version2(block)
        #expect(bytes.count == ProxyHeader.longest)
        guard case .complete(let header, ProxyHeader.longest) = ProxyHeader.read(bytes) else {
            Issue.record("not read")
            return
        }
        #expect(header.extensions.map(\.value.count) == [ProxyHeader.longest - 31])
    }

    // MARK: Extensions

    @Test func extensions_areKept_withoutChecksumAndPadding() {
        let block =
            addresses4 + tlv(0x02, Array("db.example".utf8)) + tlv(0x04, [0, 0]) + tlv(0x05, Array("id-7".utf8))
            + tlv(0xE0, []) + tlv(0x04, [])
        let header = ProxyHeader(
            version: .v2, endpoints: endpoints4,
            extensions: [
                .init(type: 0x02, value: Array("db.example".utf8)), .init(type: 0x05, value: Array("id-7".utf8)),
                .init(type: 0xE0, value: []),
            ])
        #expect(ProxyHeader.read(version2(block)) == .complete(header, length: 16 + block.count))
        #expect(header.authority == "db.example")
        #expect(header.uniqueID == Array("id-7".utf8))
        #expect(header.tlsVersion == nil)
    }

    @Test(
        arguments: [
            ([0x01], "TLSv1.3"), ([0x07], "TLSv1.3"), ([0x00], nil), ([0x06], nil),
        ] as [([UInt8], String?)])
    func tlsVersion_isPresent_ifTheClientUsedTLS(_ flags: [UInt8], _ version: String?) {
        let parts = tlv(0x23, Array("AES".utf8)) + tlv(0x21, Array("TLSv1.3".utf8))
        var header = ProxyHeader(version: .v2, endpoints: nil)
        header.extensions = [.init(type: 0x20, value: flags + [0, 0, 0, 1] + parts)]
        #expect(header.tlsVersion == version)
        // Nested extensions are parsed only on access, and may be invalid.
        header.extensions = [.init(type: 0x20, value: flags + [0, 0, 0, 1] + parts.dropLast())]
        #expect(header.tlsVersion == nil)
        header.extensions = [.init(type: 0x20, value: flags)]
        #expect(header.tlsVersion == nil)
    }

    @Test(
        arguments: [
            [0x05], [0x05, 0x00], [0x05, 0x00, 0x01], tlv(0x01, [1]) + [0], tlv(0xE0, [1, 2]) + [0x02, 0xFF, 0xFF, 1],
            tlv(0x05, Array(repeating: 1, count: 129)), tlv(0x02, Array(repeating: 1, count: 256)),
            tlv(0x03, [1, 2, 3]),
            tlv(0x03, []),
        ] as [[UInt8]])
    func extension_pastTheEndOrItsBound_isFaulty(_ rest: [UInt8]) {
        #expect(faults(version2(addresses4 + rest)) == .extensions)
    }

    @Test func longestIDAndName_areTaken() {
        let block =
            addresses4 + tlv(0x05, Array(repeating: 1, count: 128)) + tlv(0x02, Array(repeating: 0x61, count: 255))
        guard case .complete(let header, _) = ProxyHeader.read(version2(block)) else {
            Issue.record("not read")
            return
        }
        #expect(header.uniqueID?.count == 128 && header.authority?.count == 255)
    }

    // MARK: The checksum

    @Test func crc32c_isTheStandards() {
        #expect(CRC32C.of(Array("123456789".utf8)[...]) == 0xE306_9283)
        // RFC 3720, appendix B.4.
        #expect(CRC32C.of(Array(repeating: UInt8(0), count: 32)[...]) == 0x8A91_36AA)
        #expect(CRC32C.of(Array(repeating: UInt8(0xFF), count: 32)[...]) == 0x62A8_AB43)
        #expect(CRC32C.of(Array(UInt8(0)..<32)[...]) == 0x46DD_794E)
    }

    @Test func checksum_isHeldAgainstEveryByte() {
        let header = ProxyHeader(
            version: .v2, endpoints: endpoints4, extensions: [.init(type: 0x05, value: Array("id-7".utf8))])
        let bytes = header.bytes
        #expect(ProxyHeader.read(bytes) == .complete(header, length: bytes.count))
        // Every byte after the fixed part, whose changes have other meanings, except the type byte of the checksum.
        for index in 16..<bytes.count where index != bytes.count - 7 {
            var changed = bytes
            changed[index] ^= 0x10
            guard case .faulty(let fault) = ProxyHeader.read(changed) else {
                Issue.record("byte \(index) may be changed")
                continue
            }
            #expect(fault == .checksum || fault == .extensions, "byte \(index)")
        }
        // LOCAL instead of PROXY: the checksum of ignored bytes is not verified.
        var local = bytes
        local[12] = 0x20
        #expect(ProxyHeader.read(local) == .complete(ProxyHeader(version: .v2, endpoints: nil), length: bytes.count))
    }

    /// HAProxy writes it between other extensions.
    @Test func checksum_mayStandAnywhere() {
        let before = version2(addresses4 + tlv(0x03, [0, 0, 0, 0]) + tlv(0x05, [1, 2, 3]))
        let sum = CRC32C.of(before[...])
        let value = (0..<4).map { UInt8(truncatingIfNeeded: sum >> (24 - 8 * UInt32($0))) }
        let bytes = version2(addresses4 + tlv(0x03, value) + tlv(0x05, [1, 2, 3]))
        let header = ProxyHeader(
            version: .v2, endpoints: endpoints4, extensions: [.init(type: 0x05, value: [1, 2, 3])])
        #expect(ProxyHeader.read(bytes) == .complete(header, length: bytes.count))
        #expect(faults(version2(addresses4 + tlv(0x03, value) + tlv(0x05, [1, 2, 4]))) == .checksum)
    }

    // MARK: Writing

    @Test(
        arguments: [
            endpoints4, endpoints6, .init(source: endpoints4.source, destination: endpoints6.destination),
            .init(source: .unix(path: ""), destination: .unix(path: "/run/app.sock")),
            .init(source: .unix(path: "@name"), destination: .unix(path: String(repeating: "b", count: 108))), nil,
        ] as [ProxyHeader.Endpoints?])
    func headers_areReadAsTheyAreWritten(_ endpoints: ProxyHeader.Endpoints?) {
        var header = ProxyHeader(version: .v2, endpoints: endpoints)
        if endpoints != nil { header.extensions = [.init(type: 0xE1, value: Array(repeating: 3, count: 300))] }
        let bytes = header.bytes
        #expect(ProxyHeader.read(bytes) == .complete(header, length: bytes.count))
    }

    @Test func bytes_areTheSpecifications() {
        let bytes = ProxyHeader(version: .v2, endpoints: endpoints4).bytes
        #expect(Array(bytes.prefix(28)) == version2(0x21, 0x11, addresses4, length: 12 + 7))
        // Without endpoints the header is LOCAL, without extensions.
        let local = ProxyHeader(version: .v2, endpoints: nil, extensions: [.init(type: 0x05, value: [1])])
        #expect(local.bytes == version2(0x20, 0x00, []))
        #expect(Array(bytes[28..<31]) == [0x03, 0x00, 0x04] && bytes.count == 35)
        let unix = ProxyHeader(
            version: .v2, endpoints: .init(source: .unix(path: ""), destination: .unix(path: "@a"))
        ).bytes
        #expect(unix[13] == 0x31 && unix.count == 16 + 216 + 7)
        #expect(unix[16..<124].allSatisfy { $0 == 0 } && unix[124] == 0 && unix[125] == 0x61)
    }
}
