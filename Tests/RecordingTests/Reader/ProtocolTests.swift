import TestSupport
import Testing

@testable import Recording

/// Recognition by first bytes.
struct ProtocolTests {
    private static func hex(_ text: String) -> [UInt8] {
        let digits = text.filter(\.isHexDigit)
        return stride(from: 0, to: digits.count, by: 2).map { place in
            let start = digits.index(digits.startIndex, offsetBy: place)
            return UInt8(digits[start..<digits.index(start, offsetBy: 2)], radix: 16) ?? 0
        }
    }

    private func recognise(_ up: [UInt8], _ down: [UInt8] = []) -> String {
        Protocol.recognise(up: up, down: down).description
    }

    @Test(
        arguments: [
            // up, down, protocol
            ("GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n", "HTTP GET /index.html 200"),
            ("POST /a?b=c HTTP/1.0\r\n", "", "HTTP POST /a?b=c"),
            ("CONNECT example.com:443 HTTP/1.1\r\n\r\n", "HTTP/1.1 407 No\r\n", "HTTP CONNECT example.com:443 407"),
            ("", "HTTP/1.1 408 Request Timeout\r\n", "HTTP 408"),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "", "HTTP/2 with prior knowledge"),
            ("SSH-2.0-OpenSSH_9.2\r\n", "", "SSH 2.0-OpenSSH_9.2"),
            ("SSH-2.0-client\r\n", "SSH-2.0-dropbear\r\n", "SSH 2.0-dropbear"),
            ("EHLO me\r\n", "220 mx.example.com hello\r\n", "SMTP mx.example.com hello"),
            ("", "220 mx ESMTP Postfix\r\n", "SMTP mx ESMTP Postfix"),
            ("USER bob\r\n", "220 welcome\r\n", "FTP welcome"),
            ("", "220 (vsFTPd 3.0.3)\r\n", "FTP (vsFTPd 3.0.3)"),
            ("a1 LOGIN x y\r\n", "* OK IMAP4rev1 ready\r\n", "IMAP OK IMAP4rev1 ready"),
            ("USER bob\r\n", "+OK POP3 ready\r\n", "POP3 POP3 ready"),
            ("*3\r\n$3\r\nset\r\n$1\r\na\r\n$1\r\nb\r\n", "+OK\r\n", "Redis SET"),
            ("PING\r\n", "+PONG\r\n", "Redis PING"),
            ("AMQP\u{0}\u{0}\u{9}\u{1}", "", "AMQP 0-9-1"),
            ("AMQP\u{3}\u{1}\u{0}\u{0}", "", "AMQP 1.0 with SASL"),
            ("\u{10}\u{12}\u{0}\u{4}MQTT\u{4}\u{2}\u{0}<\u{0}\u{6}client", "", "MQTT 3.1.1, client client"),
            ("hello there\n", "general\n", "text"), ("grüße\n", "", "text"), ("", "hi\u{1B}[0m", "text"),
            ("\u{0}\u{1}\u{2}", "", "binary"), ("text", "\u{7F}", "binary"), ("", "", "-"),
            // Near misses.
            ("GET /\r\n", "", "text"), ("get / HTTP/1.1\r\n", "", "text"), ("*x\r\n$3\r\n", "", "text"),
            ("220 not from a server\r\n", "", "text"), ("PING\r\n", "PONG\r\n", "text"),
        ])
    func lines_areRecognised(up: String, down: String, expected: String) {
        #expect(recognise(Array(up.utf8), Array(down.utf8)) == expected)
    }

    @Test(
        arguments: [
            // PostgreSQL: startup, TLS refused and then startup, GSSAPI, cancel.
            ("00000020 00030000 7573657200 626f6200 6461746162617365 00 73686f7000 00", "52", "user=bob database=shop"),
            ("00000008 04d2162f 00000017 00030000 7573657200 616d7900 00", "4e", "user=amy"),
            ("00000008 04d2162f", "4e", "requests TLS"), ("00000008 04d2162f", "53", "over TLS"),
            ("00000010 04d2162e 00000001 00000002", "", "cancels a query"),
        ])
    func postgreSQL_isRecognised(up: String, down: String, detail: String) {
        #expect(recognise(Self.hex(up), Self.hex(down)) == "PostgreSQL \(detail)")
    }

    @Test(
        arguments: [
            ("", "4a000000 0a 382e302e333300 0102030405060708090a0b0c0d0e0f", "MySQL 8.0.33"),
            ("", "45000000 ff 6a04 486f7374", "MySQL refused with error 1130"),
            (
                "28000000 01000000 00000000 dd070000 00000000 00 13000000 10 68656c6c6f00 01000000 00", "",
                "MongoDB hello"
            ),
            ("001d 1234 0100 0001 0000 0000 0000 07 6578616d706c65 03 636f6d 00 001c 0001", "", "DNS AAAA example.com"),
            ("00000014 0012 0003 00000007 0006 636c69656e74 0000", "", "Kafka client client"),
            ("00000014 0003 0003 00000007 0006 636c69656e74 0000", "00000020 00000007", "Kafka client client"),
            ("00000014 0003 0003 00000007 0006 636c69656e74 0000", "00000020 00000008", "binary"),
        ])
    func binaryProtocols_areRecognised(up: String, down: String, expected: String) {
        #expect(recognise(Self.hex(up), Self.hex(down)) == expected)
    }

    /// A ClientHello in records of `record` bytes.
    private static func hello(name: String?, versions: [UInt16] = [0x0304, 0x0303], record: Int) -> [UInt8] {
        // A long post-quantum key share before the other extensions.
        ClientHello(name: name, applications: ["h2"], versions: versions, keyShare: 1200).bytes(record: record)
    }

    private static func serverHello(_ version: UInt16) -> [UInt8] {
        var body = Wire()
        body.add([3, 3] + [UInt8](repeating: 1, count: 32) + [0, 0x13, 0x01, 0, 0, 6, 0, 43, 0, 2])
        body.add(version)
        return ClientHello.records([2, 0, 0, UInt8(body.bytes.count)] + body.bytes, 1000)
    }

    @Test(arguments: [10, 100, 1000, 16_384]) func tls_inRecordsOfAnySize_hasItsServersName(record: Int) {
        #expect(
            recognise(Self.hello(name: "www.example.com", record: record)) == "TLS www.example.com, TLS 1.3, offers h2")
    }

    @Test func tls_hasTheVersionThatTheServerChose() {
        let hello = Self.hello(name: nil, record: 2000)
        #expect(recognise(hello, Self.serverHello(0x0303)) == "TLS 1.2")
        #expect(recognise(hello, Self.serverHello(0x0304)) == "TLS 1.3, offers h2")
        // Reserved values (GREASE) are not versions.
        #expect(recognise(Self.hello(name: nil, versions: [0xFAFA, 0x0303], record: 2000)) == "TLS 1.2, offers h2")
    }

    @Test func tlsOfPostgreSQL_isFoundBehindTheRequest() {
        let up = Self.hex("00000008 04d2162f") + Self.hello(name: "db.example.com", record: 4000)
        #expect(recognise(up, Self.hex("53")) == "PostgreSQL over TLS, db.example.com, TLS 1.3, offers h2")
    }

    @Test func helloCutAnywhere_isStillTLS() {
        let hello = Self.hello(name: "a.example", record: 300)
        for length in 6..<hello.count {
            #expect(recognise(Array(hello[..<length])).hasPrefix("TLS"), "\(length)")
        }
    }

    @Test func longDetail_isCut() {
        let up = "GET /" + String(repeating: "x", count: 3000) + " HTTP/1.1\r\n\r\n"
        let found = Protocol.recognise(up: Array(up.utf8), down: [])
        #expect(found.family == .http)
        #expect((found.detail?.count ?? 0) <= 200)
        // Also with an incomplete line.
        #expect(Protocol.recognise(up: Array(up.utf8.prefix(1000)), down: []).family == .http)
    }

    @Test func anyBytes_areRecognisedAsSomething() {
        var random = Random(seed: 7)
        let starts = ["GET ", "*1\r\n$", "\u{16}\u{3}\u{1}", "220 ", "AMQP", "\u{10}", "+OK", "SSH-2.0-"].map {
            Array($0.utf8)
        }
        for round in 0..<5000 {
            let noise = (0..<random.next(below: 80)).map { _ in UInt8(random.next(below: 256)) }
            let up = starts[round % starts.count] + noise
            #expect(!recognise(up, Array(noise.reversed())).isEmpty)
            #expect(!recognise(noise, up).isEmpty)
        }
    }
}
