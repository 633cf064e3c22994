import StartTLS
import Testing

/// What a PostgreSQL client begins with.
@Suite struct PostgresOpeningTests {
    @Test(
        arguments: [
            ([], .incomplete), ([0], .incomplete), ([0, 0, 0, 8, 4, 210, 22], .incomplete),
            ([0, 0, 0, 8, 4, 210, 22, 47], .sslRequest), ([0, 0, 0, 8, 4, 210, 22, 48], .gssRequest),
            ([0, 0, 0, 8, 4, 210, 22, 47, 0], .bytesBehindRequest),
            ([0, 0, 0, 8, 4, 210, 22, 48, 22, 3], .bytesBehindRequest),
            ([22], .direct), ([22, 3, 1, 2, 0], .direct),
            // A startup message of version 3.0, a cancel request, and other bytes.
            ([0, 0, 0, 41, 0, 3, 0, 0], .plain), ([0, 0, 0, 16, 4, 210, 22, 46], .plain), (Array("GET /".utf8), .plain),
            ([0, 0, 0, 8, 4, 210, 22, 46], .plain), ([0, 0, 1], .plain),
        ] as [([UInt8], PostgresOpening)])
    func bytes_areRead(_ bytes: [UInt8], _ expected: PostgresOpening) {
        #expect(PostgresOpening(bytes) == expected)
    }

    @Test func everyPrefixOfARequest_isIncomplete() {
        for request in [PostgresOpening.sslRequestBytes, PostgresOpening.gssRequestBytes] {
            for count in 0..<request.count { #expect(PostgresOpening(Array(request.prefix(count))) == .incomplete) }
        }
    }

    @Test func error_isAMessageWithItsLength() {
        let bytes = PostgresOpening.error("no")
        #expect(bytes.first == UInt8(ascii: "E"))
        #expect(bytes[1...4].reduce(0) { $0 << 8 | Int($1) } == bytes.count - 1)
        #expect(bytes.suffix(5) == [UInt8(ascii: "M"), UInt8(ascii: "n"), UInt8(ascii: "o"), 0, 0])
    }
}
