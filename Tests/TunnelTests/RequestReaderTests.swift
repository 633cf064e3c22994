import TestSupport
import Testing

@testable import Tunnel

/// SOCKS 5 and HTTP CONNECT requests, whole, in pieces of any size, and cut at every byte.
@Suite struct RequestReaderTests {
    /// What became of a client's bytes.
    struct Outcome: Equatable {
        var answers: [UInt8] = []
        var target: TunnelTarget?
        var fault: TunnelFault?
        /// The bytes after the request.
        var rest: [UInt8] = []
    }

    /// Reads bytes that arrive in pieces of `piece` bytes, as the stage does.
    static func read(_ bytes: [UInt8], piece: Int) -> Outcome {
        var reader = TunnelRequestReader()
        var outcome = Outcome()
        var start = 0
        var count = 0
        while true {
            let step = count > start ? reader.read(Array(bytes[start..<count])) : .incomplete
            switch step {
            case .incomplete:
                guard count < bytes.count else { return outcome }
                count = min(bytes.count, count + piece)
            case .answer(let answer, let length):
                outcome.answers += answer
                start += length
            case .complete(let target, let length):
                outcome.target = target
                outcome.rest = Array(bytes[(start + length)...])
                return outcome
            case .faulty(let fault):
                outcome.fault = fault
                return outcome
            }
        }
    }

    private static func name(_ name: String) -> [UInt8] { [3, UInt8(name.utf8.count)] + Array(name.utf8) }

    private static let greeting: [UInt8] = [5, 1, 0]
    private static let longName = String(repeating: "a.", count: 127) + "b"

    static let requests: [(bytes: [UInt8], host: String, port: UInt16)] = [
        (greeting + [5, 1, 0, 1, 192, 0, 2, 1, 0x01, 0xBB], "192.0.2.1", 443),
        ([5, 3, 2, 1, 0] + [5, 1, 0] + name("example.com") + [0, 80], "example.com", 80),
        (greeting + [5, 1, 0] + name("a") + [0xFF, 0xFF], "a", 65535),
        (greeting + [5, 1, 0] + name(longName) + [0, 1], longName, 1),
        (
            greeting + [5, 1, 0, 4, 0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 22], "2001:db8::1",
            22
        ),
        (Array("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n".utf8), "example.com", 443),
        (Array("CONNECT [2001:db8::1]:22 HTTP/1.0\r\n\r\n".utf8), "2001:db8::1", 22),
        (
            Array(
                "CONNECT 192.0.2.1:1 HTTP/1.1\r\nUser-Agent: a/1 (b; \u{e9})\r\nX:\r\nContent-Length: 0\r\n\r\n".utf8),
            "192.0.2.1", 1
        ),
    ]

    @Test(arguments: requests.indices, [1, 2, 3, 7, 1000])
    func request_isRead_inPiecesOfAnySize_andTheBytesAfterItAreLeft(_ index: Int, piece: Int) {
        let (bytes, host, port) = Self.requests[index]
        let outcome = Self.read(bytes + Array("tunnel".utf8), piece: piece)
        #expect(outcome.target == TunnelTarget(host: host, port: port) && outcome.fault == nil)
        #expect(outcome.answers == (bytes[0] == 5 ? [5, 0] : []))
        #expect(outcome.rest == Array("tunnel".utf8))
    }

    @Test(arguments: requests.indices) func request_isIncomplete_cutAtEveryByte(_ index: Int) {
        let bytes = Self.requests[index].bytes
        for count in 0..<bytes.count {
            let outcome = Self.read(Array(bytes.prefix(count)), piece: 1)
            #expect(outcome.target == nil && outcome.fault == nil, "\(count) bytes")
        }
    }

    @Test(arguments: requests.indices) func request_isRead_dividedAtEveryByte(_ index: Int) {
        let (bytes, host, port) = Self.requests[index]
        for first in 1..<bytes.count {
            var reader = TunnelRequestReader()
            var start = 0
            var target: TunnelTarget?
            for count in [first, bytes.count] {
                loop: while start < count {
                    switch reader.read(Array(bytes[start..<count])) {
                    case .incomplete: break loop
                    case .answer(_, let length): start += length
                    case .complete(let found, _):
                        target = found
                        break loop
                    case .faulty(let fault):
                        Issue.record("\(fault) at \(first)")
                        return
                    }
                }
            }
            #expect(target == TunnelTarget(host: host, port: port), "divided at \(first)")
        }
    }

    private static func connect(_ line: String, _ fields: String = "") -> [UInt8] {
        Array("\(line)\r\n\(fields)\r\n".utf8)
    }

    static let faults: [(bytes: [UInt8], fault: TunnelFault)] = [
        ([0x16, 3, 1], .unknownProtocol(beginning: [0x16, 3, 1])), ([0], .unknownProtocol(beginning: [0])),
        (Array("get / HTTP/1.1".utf8), .unknownProtocol(beginning: Array("get / HTTP/1.1".utf8))),
        ([4, 1, 0, 80, 192, 0, 2, 1, 0], .socks4),
        ([5, 0], .authentication), ([5, 1, 2], .authentication), ([5, 2, 1, 2], .authentication),
        (greeting + [4], .malformedSocks), (greeting + [5, 2], .command(2)), (greeting + [5, 3, 0], .command(3)),
        (greeting + [5, 1, 1], .malformedSocks), (greeting + [5, 1, 0, 2], .addressType(2)),
        (greeting + [5, 1, 0, 1, 192, 0, 2, 1, 0, 0], .portZero),
        (greeting + [5, 1, 0, 3, 0], .host(reason: "its name is empty")),
        (
            greeting + [5, 1, 0, 3, 3, 0x61, 0, 0x62],
            .host(reason: "\"a\\x00b\" contains a space or a control character")
        ),
        (
            greeting + [5, 1, 0, 3, 2, 0xC3, 0xA9],
            .host(reason: "\"\\xc3\\xa9\" is not ASCII; use its ASCII form (xn--)")
        ),
        (Array("GET http://example.com/ HTTP/1.1\r\n".utf8), .method("GET")),
        (Array("OPTIONS ".utf8), .method("OPTIONS")),
        (Array(repeating: UInt8(ascii: "A"), count: 33), .malformedHead), (Array("CONNECT\r\n".utf8), .malformedHead),
        (connect("CONNECT example.com:443"), .malformedHead), (connect("CONNECT a:1 HTTP/2.0"), .malformedHead),
        (connect("CONNECT  a:1 HTTP/1.1"), .malformedHead), (connect("CONNECT a:1 HTTP/1.1 x"), .malformedHead),
        (connect("CONNECT a HTTP/1.1"), .host(reason: "\"a\" has no port")),
        (connect("CONNECT a:b HTTP/1.1"), .host(reason: "\"a:b\" has no valid port")),
        (connect("CONNECT a:65536 HTTP/1.1"), .host(reason: "\"a:65536\" has no valid port")),
        (connect("CONNECT a:+1 HTTP/1.1"), .host(reason: "\"a:+1\" has no valid port")),
        (connect("CONNECT a:0 HTTP/1.1"), .portZero),
        (connect("CONNECT :1 HTTP/1.1"), .host(reason: "its name is empty")),
        (
            connect("CONNECT 2001:db8::1:22 HTTP/1.1"),
            .host(reason: "an IPv6 address needs brackets, such as [::1]:443")
        ),
        (connect("CONNECT [a]:22 HTTP/1.1"), .malformedHead),
        (connect("CONNECT a:1 HTTP/1.1", " folded: x\r\n"), .malformedHead),
        (connect("CONNECT a:1 HTTP/1.1", "no colon\r\n"), .malformedHead),
        (connect("CONNECT a:1 HTTP/1.1", "Name : x\r\n"), .malformedHead),
        (connect("CONNECT a:1 HTTP/1.1", "Name: \u{0}\r\n"), .malformedHead),
        (connect("CONNECT a:1 HTTP/1.1", "Content-Length: 1\r\n"), .content),
        (connect("CONNECT a:1 HTTP/1.1", "transfer-encoding: chunked\r\n"), .content),
        (Array("CONNECT a:1 HTTP/1.1\n\n".utf8), .bareLineEnd), (Array("CONNECT a:1 HTTP/1.1\rx".utf8), .bareLineEnd),
        (
            Array("CONNECT a:1 HTTP/1.1\r\nX: ".utf8) + Array(repeating: UInt8(ascii: "a"), count: 8192), .headTooLong
        ),
        (
            connect("CONNECT \(String(repeating: "a", count: 256)):1 HTTP/1.1"),
            .host(reason: "its name has more than 255 characters")
        ),
    ]

    @Test(arguments: faults.indices, [1, 5, 10_000])
    func otherBytes_areAFault_inPiecesOfAnySize(_ index: Int, piece: Int) {
        let (bytes, fault) = Self.faults[index]
        let outcome = Self.read(bytes, piece: piece)
        // The first bytes are all that is known of a protocol that is not.
        if case .unknownProtocol = fault, case .unknownProtocol = outcome.fault { return }
        #expect(outcome.fault == fault && outcome.target == nil)
    }

    @Test func headOfTheGreatestLength_isRead_andOneByteMoreIsNot() {
        let start = "CONNECT a:1 HTTP/1.1\r\nX: "
        let room = TunnelRequestReader.longestHead - start.utf8.count - 4
        func head(_ count: Int) -> [UInt8] { Array((start + String(repeating: "a", count: count) + "\r\n\r\n").utf8) }
        #expect(Self.read(head(room), piece: 1000).target == TunnelTarget(host: "a", port: 1))
        #expect(Self.read(head(room + 1), piece: 1000).fault == .headTooLong)
    }

    @Test func randomBytes_neverTrap_andEndInAFaultOrARequest() {
        var random = SeededRandom(seed: 16)
        let beginnings: [[UInt8]] = [[], [5], [5, 1, 0, 5, 1, 0], [4], Array("CONNECT a:1 HTTP/1.1\r\n".utf8)]
        for _ in 0..<3000 {
            var bytes = beginnings.randomElement(using: &random) ?? []
            for _ in 0..<Int.random(in: 0..<80, using: &random) {
                let isText = Bool.random(using: &random)
                bytes.append(
                    isText
                        ? "\r\n: a:1 []".utf8.randomElement(using: &random) ?? 0 : .random(in: 0...255, using: &random))
            }
            let whole = Self.read(bytes, piece: 1000)
            let byByte = Self.read(bytes, piece: 1)
            #expect(whole.target == byByte.target && (whole.fault == nil) == (byByte.fault == nil), "\(bytes)")
        }
    }
}
