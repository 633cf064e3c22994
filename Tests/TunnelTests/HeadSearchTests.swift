import Testing

@testable import Tunnel

/// The end of an HTTP head in bytes that come one by one.
@Suite struct HeadSearchTests {
    private static let limit = TunnelRequestReader.longestHead
    private static let head = Array("CONNECT a:1 HTTP/1.1\r\nA: 1\r\nB: 2\r\n\r\n".utf8)

    @Test func head_isFoundWithTheSameLines_wholeAndByteByByte() throws {
        var whole = HeadSearch()
        let expected = try #require(try whole.head(in: Self.head + [1], limit: Self.limit))
        #expect(expected.length == Self.head.count && whole.examined == Self.head.count)
        #expect(expected.lines.map { String(decoding: $0, as: UTF8.self) } == ["CONNECT a:1 HTTP/1.1", "A: 1", "B: 2"])
        var search = HeadSearch()
        for count in 0..<Self.head.count {
            #expect(try search.head(in: Array(Self.head[..<count]), limit: Self.limit) == nil)
            #expect(search.examined == count)
        }
        let found = try #require(try search.head(in: Self.head, limit: Self.limit))
        #expect(found.lines == expected.lines && found.length == expected.length)
    }

    /// The bytes before the last two are replaced by ones that would be a fault, so examining them again fails the test.
    @Test func byte_isExaminedOnce() throws {
        let long = Array("CONNECT a:1 HTTP/1.1\r\nA: ".utf8) + Array(repeating: UInt8(ascii: "a"), count: 8000)
        var search = HeadSearch()
        for count in 1...long.count {
            let replaced = Array(repeating: UInt8(ascii: "\n"), count: max(0, count - 2))
            #expect(try search.head(in: replaced + long[max(0, count - 2)..<count], limit: Self.limit) == nil)
        }
        #expect(search.examined == long.count)
    }

    @Test func head_thatReachesTheLimit_isTooLong_howeverItArrives() {
        let long = Array(repeating: UInt8(ascii: "a"), count: Self.limit)
        for piece in [1, 100, Self.limit] {
            var search = HeadSearch()
            var fault: TunnelFault?
            for count in stride(from: piece, through: long.count + piece - 1, by: piece) {
                do {
                    #expect(try search.head(in: Array(long.prefix(count)), limit: Self.limit) == nil)
                } catch {
                    fault = error
                }
            }
            #expect(fault == .headTooLong && search.examined == Self.limit)
        }
    }

    @Test(arguments: ["a\nb", "a\rb", "\n"]) func bareLineEnd_isAFault_byteByByte(text: String) {
        let bytes = Array(text.utf8)
        var search = HeadSearch()
        #expect(throws: TunnelFault.bareLineEnd) {
            for count in 1...bytes.count { _ = try search.head(in: Array(bytes[..<count]), limit: Self.limit) }
        }
    }
}
