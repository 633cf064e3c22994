import TLSHello
import TestSupport
import Testing

/// The fields of a ClientHello, and its faults.
@Suite struct HelloTests {
    private static func read(_ bytes: [UInt8]) -> ClientHelloReader.Reading {
        var reader = ClientHelloReader()
        return reader.read(bytes)
    }

    private static func hello(_ bytes: [UInt8]) throws -> Hello {
        guard case .complete(let hello) = read(bytes) else {
            throw TestFailure("\(read(bytes))")
        }
        return hello
    }

    @Test func nameProtocolsAndVersion_areTheClients() throws {
        let hello = try Self.hello(
            ClientHello(name: "Api.Example.com", applications: ["h2", "http/1.1"], versions: [0xFAFA, 0x0304]).bytes())
        #expect(hello.serverName == Array("Api.Example.com".utf8))
        #expect(hello.applications == [Array("h2".utf8), Array("http/1.1".utf8)])
        #expect(hello.version == 0x0304 && hello.side == .client && hello.fault == nil)
    }

    @Test func helloWithoutFields_hasNone() throws {
        let hello = try Self.hello(ClientHello(versions: []).bytes())
        #expect(hello.serverName == nil && hello.applications.isEmpty && hello.version == 0x0303)
    }

    /// Without extensions a hello ends with its compression methods (RFC 5246, section 7.4.1.2).
    @Test func helloOlderThanExtensions_isWhole() throws {
        let body: [UInt8] = [3, 1] + Array(repeating: 1, count: 32) + [0, 0, 2, 0, 0x2F, 1, 0]
        let hello = try Self.hello(ClientHello.records([1, 0, 0, UInt8(body.count)] + body, 100))
        #expect(hello.version == 0x0301 && hello.serverName == nil)
    }

    @Test func reservedValuesAndUnknownExtensions_areNoFaults() throws {
        var hello = ClientHello(name: "a.example", applications: ["h2"])
        hello.more = [(0x0A0A, []), (0xFE0D, Array(repeating: 9, count: 200)), (21, Array(repeating: 0, count: 300))]
        #expect(try Self.hello(hello.bytes()).serverName == Array("a.example".utf8))
    }

    /// A name of an undefined type is ignored.
    @Test func nameOfAnotherKind_isNoHostName() throws {
        var hello = ClientHello()
        hello.more = [(0, ClientHello.serverName(Array("x".utf8), kind: 7))]
        #expect(try Self.hello(hello.bytes()).serverName == nil)
    }

    @Test func bytesAfterTheHello_areIgnored() throws {
        let bytes = ClientHello(name: "a.example").bytes()
        #expect(try Self.hello(bytes + [23, 3, 3, 0, 1, 0]).serverName == Array("a.example".utf8))
        #expect(try Self.hello(bytes + Array("GET /".utf8)).serverName == Array("a.example".utf8))
    }

    static let malformed: [(situation: String, extensions: [(UInt16, [UInt8])])] = [
        ("an empty name", [(0, ClientHello.serverName([]))]),
        ("a name that is too long", [(0, ClientHello.serverName(Array(repeating: 0x61, count: 256)))]),
        ("no name in the list", [(0, [0, 0])]), ("an empty server_name", [(0, [])]),
        ("something behind the list", [(0, ClientHello.serverName([0x61]) + [0])]),
        ("a list that goes past its end", [(0, [0, 9, 0, 0, 1, 0x61])]),
        ("a name that goes past its list", [(0, [0, 4, 0, 0, 9, 0x61])]),
        ("two names", [(0, [0, 8, 0, 0, 1, 0x61, 0, 0, 1, 0x62])]),
        ("server_name twice", [(0, ClientHello.serverName([0x61])), (0, ClientHello.serverName([0x62]))]),
        ("an extension twice", [(0x1234, []), (0x1234, [])]),
        ("no protocol in the list", [(16, [0, 0])]), ("an empty protocol", [(16, [0, 1, 0])]),
        ("a protocol that goes past its list", [(16, [0, 3, 9, 0x68, 0x32])]),
        ("a list of protocols that is too short", [(16, [0, 2, 2, 0x68, 0x32])]),
        ("half a version", [(43, [1, 3])]),
    ]

    @Test(arguments: malformed.indices) func helloOutOfForm_isMalformed(_ index: Int) {
        var hello = ClientHello(versions: [])
        hello.more = Self.malformed[index].extensions
        #expect(Self.read(hello.bytes()) == .faulty(.malformed), "\(Self.malformed[index].situation)")
    }

    /// Changes every length: nothing traps, and a result without a fault has the name in the message.
    @Test func everyByteChanged_isAHelloOrAFault() {
        let bytes = ClientHello(name: "a.example", applications: ["h2"]).bytes(record: 50)
        for place in bytes.indices {
            for value in [0, 1, 0x7F, 0xFF, bytes[place] &+ 1] as [UInt8] {
                var changed = bytes
                changed[place] = value
                if case .complete(let hello) = Self.read(changed) {
                    #expect((hello.serverName?.count ?? 0) <= bytes.count)
                }
            }
        }
    }

    @Test func cutExtensions_areMalformed() {
        let message = ClientHello(name: "a.example", applications: ["h2"]).message
        // The message's length is reduced, the length of its extensions is not.
        for length in 40..<(message.count - 4) {
            let cut = [1, 0, UInt8(length >> 8), UInt8(length & 0xFF)] + message[4..<(4 + length)]
            // It may end after the compression methods, without extensions.
            if length == 43 { continue }
            #expect(Self.read(ClientHello.records(cut, 16_384)) == .faulty(.malformed), "\(length)")
        }
    }

    @Test func harmless_isPrintableASCII() {
        #expect(Hello.harmless(Array("a b\"\\\u{1B}[0m\r\né".utf8)) == "a b\\x22\\x5c\\x1b[0m\\x0d\\x0a\\xc3\\xa9")
        #expect(Hello.harmless([]) == "")
    }

    @Test func faults_areHalfSentencesOfPrintableASCII() {
        let faults: [ClientHelloFault] = [
            .noTLS(beginning: Array("SSH-2.0-\r\n\u{1}".utf8)), .noClientHello, .malformed, .tooLong, .cut,
        ]
        for fault in faults {
            #expect("\(fault)".hasPrefix("is "))
            #expect("\(fault)".utf8.allSatisfy { (0x20..<0x7F).contains($0) })
        }
        #expect("\(faults[0])" == "is not TLS: it begins with \"SSH-2.0-\\x0d\\x0a\\x01\"")
    }
}
