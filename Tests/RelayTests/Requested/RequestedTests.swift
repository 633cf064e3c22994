import Configuration
import ProxyProtocol
import Relay
import Sockets
import TestSupport
import Testing

/// A relay whose clients request their destinations, by SOCKS 5 and by HTTP CONNECT.
@Suite struct RequestedTests {
    // MARK: Connected

    @Test(arguments: RelayHarness.Pump.allCases, Dialect.allCases)
    func request_isAnswered_andTheStreamAfterItIsWhole(pump: RelayHarness.Pump, dialect: Dialect) async throws {
        try await RelayHarness.requested(pump: pump) { relay in
            let listener = try PeerListener()
            let client = try relay.connect()
            let sender = try Background("up") {
                // The tunnel's first bytes are in the segment of the request, before any reply.
                try client.send(dialect.request(listener.address) + upBytes.bytes(message))
                try client.send(upBytes, message..<stream)
                client.endWriting()
            }
            let upstream = try listener.accept()
            #expect(try client.receive(count: dialect.success.count) == dialect.success)
            try upstream.awaitBacklog()
            #expect(try upstream.receiveToEnd(upBytes) == .fin(stream))
            try sender.value()
            try upstream.send(downBytes, 0..<message)
            upstream.close()
            #expect(try client.receiveToEnd(downBytes) == .fin(message))
            let record = try relay.end()
            // The request and its reply are in no count.
            #expect(record.summary == .init(.clientClosed, up: stream, down: message))
            #expect(record.upstream == "\(listener.address)" && record.upstreamAddress == listener.address)
            #expect(record.request?.fault == nil && (record.splicedUp > 0) == (pump == .splice))
        }
    }

    @Test(arguments: Dialect.allCases) func requestByteByByte_ofAName_isAnswered(dialect: Dialect) async throws {
        try await RelayHarness.requested { relay in
            let listener = try PeerListener()
            let port = try #require(listener.address.port)
            let client = try relay.connect()
            try client.send(dialect.request("localhost", port), piece: 1)
            let upstream = try listener.accept()
            #expect(try client.receive(count: dialect.success.count) == dialect.success)
            try upstream.send(downBytes, 0..<message)
            try client.receive(downBytes, 0..<message)
            client.close()
            #expect(try upstream.receiveToEnd(upBytes) == .fin(0))
            upstream.close()
            let record = try relay.end()
            #expect(record.summary == .init(.clientClosed, up: 0, down: message))
            #expect(record.upstream == "localhost:\(port)" && record.upstreamAddress == listener.address)
        }
    }

    @Test(arguments: Dialect.allCases) func proxyHeaders_comeBeforeTheRequest_andBeforeTheTunnel(dialect: Dialect)
        async throws
    {
        let proxy = ProxyProtocolSettings(accept: .ofLoopback, send: .v1)
        try await RelayHarness.requested(proxy: proxy) { relay in
            let listener = try PeerListener()
            let client = try relay.connect()
            try client.send(farHeader(.v1) + dialect.request(listener.address) + upBytes.bytes(message))
            let upstream = try listener.accept()
            let header = farHeader(.v1)
            #expect(try upstream.receive(count: header.count) == header)
            try upstream.receive(upBytes, 0..<message)
            #expect(try client.receive(count: dialect.success.count) == dialect.success)
            client.close()
            #expect(try upstream.receiveToEnd(upBytes, from: message) == .fin(message))
            upstream.close()
            let record = try relay.end()
            #expect(record.client == farEnds.source && record.upstream == "\(listener.address)")
        }
    }

    @Test func unixListener_servesRequests() async throws {
        try await TemporaryFolder.run { folder in
            try await RelayHarness.requested(listen: .unix(path: folder + "/socks", mode: 0o600)) { relay in
                let client = try relay.connect()
                try client.send(Dialect.socks.request(try PeerListener.refusingAddress()))
                #expect(try client.receiveReply() == Dialect.socks.failure(5, 502))
                client.close()
                #expect(try relay.end().end?.reason == .connectRefused)
            }
        }
    }

    // MARK: Refused

    /// A request that fails, and the reply to the client.
    struct Failing: Sendable, CustomTestStringConvertible {
        var words: String
        var allow: [String]?
        var code: UInt8
        var status: Int
        var reason: EndReason
        var text: String
        var testDescription: String { words }
    }

    static let failing = [
        Failing(
            words: "no listener", code: 5, status: 502, reason: .connectRefused,
            text: "refused the connection (ECONNREFUSED)"),
        Failing(
            words: "no listener", allow: ["10.0.0.0/8", "localhost"], code: 2, status: 403, reason: .destinationRefused,
            text: "not allowed"),
        Failing(words: "own", code: 2, status: 403, reason: .loop, text: "Tapline's own listeners"),
        Failing(words: "0.0.0.0", code: 1, status: 400, reason: .requestInvalid, text: "stands for every interface"),
        Failing(words: "127.1", code: 1, status: 400, reason: .requestInvalid, text: "is not an IPv4 address"),
        Failing(words: "a_.-", code: 1, status: 400, reason: .requestInvalid, text: "is not a host name"),
        Failing(words: "hole", code: 6, status: 504, reason: .connectTimeout, text: "did not answer in time"),
    ]

    @Test(arguments: failing, Dialect.allCases)
    func failure_isRepliedTo_withItsCause(failing: Failing, dialect: Dialect) async throws {
        let rules = try failing.allow?.map { try RequestRule(parsing: $0) }
        let settings = RequestedSettings(allow: rules, timeout: .seconds(60))
        let timeouts = failing.reason == .connectTimeout ? Timeouts(connect: .milliseconds(300)) : Timeouts()
        try await RelayHarness.requested(settings, timeouts: timeouts) { relay in
            let client = try relay.connect()
            let hole = try PeerListener.blackHole()
            switch failing.words {
            case "no listener": try client.send(dialect.request(try PeerListener.refusingAddress()))
            case "own": try client.send(dialect.request(try relay.listener()))
            case "hole": try client.send(dialect.request(hole.address))
            default: try client.send(dialect.request(failing.words, 9))
            }
            let reply = try client.receiveReply()
            let expected = dialect.failure(failing.code, failing.status)
            #expect(dialect == .socks ? reply == expected : reply.starts(with: expected), "\(reply)")
            if dialect == .http {
                let text = String(decoding: reply, as: UTF8.self)
                #expect(text.contains(failing.text) && text.contains("\r\nConnection: close\r\n"), "\(text)")
            }
            client.close()
            let record = try relay.end()
            #expect(record.end?.reason == failing.reason && record.bytesUp == 0 && record.bytesDown == 0)
            #expect(record.connectDuration == nil)
        }
    }

    @Test(
        arguments: [
            ([5, 1, 2], [5, 0xFF], "offers only SOCKS 5 with authentication"),
            ([4, 1, 0, 80, 127, 0, 0, 1, 0], [0, 0x5B, 0, 0, 0, 0, 0, 0], "uses SOCKS 4"),
            ([5, 1, 0, 5, 2, 0, 1, 127, 0, 0, 1, 0, 80], [5, 0, 5, 7, 0, 1, 0, 0, 0, 0, 0, 0], "BIND"),
            ([5, 1, 0, 5, 3, 0, 1, 127, 0, 0, 1, 0, 80], [5, 0, 5, 7, 0, 1, 0, 0, 0, 0, 0, 0], "UDP ASSOCIATE"),
            ([5, 1, 0, 5, 1, 0, 9, 127, 0, 0, 1, 0, 80], [5, 0, 5, 8, 0, 1, 0, 0, 0, 0, 0, 0], "address type 9"),
            ([5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, 0, 0], [5, 0, 5, 1, 0, 1, 0, 0, 0, 0, 0, 0], "port 0"),
            (
                Array("GET http://a/ HTTP/1.1\r\n\r\n".utf8),
                Array("HTTP/1.1 405 Method Not Allowed\r\nAllow: CONNECT\r\n".utf8), "GET"
            ),
            (Array("CONNECT a HTTP/1.1\r\n\r\n".utf8), Array("HTTP/1.1 400 Bad Request\r\n".utf8), "has no port"),
        ] as [([UInt8], [UInt8], String)])
    func invalidRequest_isRepliedTo(_ bytes: [UInt8], _ reply: [UInt8], _ fault: String) async throws {
        try await RelayHarness.requested { relay in
            let client = try relay.connect()
            try client.send(bytes)
            #expect(try client.receiveReply().starts(with: reply))
            client.close()
            let record = try relay.end()
            #expect(record.summary == .init(.requestInvalid, up: 0, down: 0) && record.upstream == "requested")
            #expect(record.request?.fault?.contains(fault) == true, "\(String(describing: record.request?.fault))")
        }
    }

    /// A TLS client, for instance: no reply would be understood.
    @Test func unknownProtocol_isReset() async throws {
        try await RelayHarness.requested { relay in
            let client = try relay.connect()
            try client.send([0x16, 3, 1, 0, 5])
            #expect(try client.receiveToEnd(downBytes) == .reset(0))
            let record = try relay.end()
            #expect(record.end?.reason == .requestInvalid && record.request?.protocolName == nil)
            #expect(record.request?.fault?.hasPrefix("begins with \"\\x16\\x03\\x01") == true)
        }
    }

    // MARK: Late

    @Test(
        arguments: [
            ([], nil), ([5], [5, 0xFF]), ([5, 1, 0, 5, 1], [5, 0, 5, 1, 0, 1, 0, 0, 0, 0, 0, 0]),
            (Array("CONNECT a".utf8), Array("HTTP/1.1 408 Request Timeout\r\n".utf8)),
        ] as [([UInt8], [UInt8]?)])
    func halfARequest_isRefusedAfterTheTimeout(_ bytes: [UInt8], _ reply: [UInt8]?) async throws {
        try await RelayHarness.requested(RequestedSettings(timeout: .milliseconds(300))) { relay in
            let client = try relay.connect()
            if !bytes.isEmpty { try client.send(bytes) }
            let (received, ending) = try client.receiveAll()
            #expect(received.starts(with: reply ?? []) && ending == (reply == nil ? .reset : .fin), "\(received)")
            client.close()
            let record = try relay.end()
            #expect(record.end?.reason == .requestTimeout && record.end?.reason.closedBy == .tapline)
        }
    }

    @Test func clientThatEndsBeforeItsRequest_hasClosed() async throws {
        try await RelayHarness.requested { relay in
            let client = try relay.connect()
            try client.send([5, 1])
            client.endWriting()
            #expect(try client.receiveToEnd(downBytes) == .fin(0))
            #expect(try relay.end().end?.reason == .clientClosed)
        }
    }

    // MARK: The end of a refusal

    /// Bytes that a client sends after its request must not turn the end into a reset, which would discard the reply.
    @Test func reply_reachesAClientThatKeepsSending() async throws {
        try await RelayHarness.requested { relay in
            let client = try relay.connect()
            let request = Dialect.http.request(try PeerListener.refusingAddress())
            let sender = try Background("up") {
                try client.send(request + upBytes.bytes(message))
                try client.send(upBytes, message..<(1 << 20))
                client.endWriting()
            }
            try sender.value()
            #expect(try client.receiveReply().starts(with: Dialect.http.failure(5, 502)))
            #expect(try relay.end().end?.reason == .connectRefused)
        }
    }
}
