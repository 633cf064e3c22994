import TestSupport
import Testing

@testable import TLS

/// What an observer of a session gets, and when.
@Suite struct ObserverTests {
    /// What an observer got, in order.
    private final class Trace {
        enum Event: Equatable {
            case key(String)
            case received([UInt8])
            case sent([UInt8])
            case ended
        }
        private(set) var events: [Event] = []

        init(_ session: TLSSession, bytes: Bool = true) {
            session.observer = TLSObserver(
                keys: { [unowned self] line in events.append(.key(String(decoding: line, as: UTF8.self))) },
                bytes: bytes ? { [unowned self] span, way in note(span.withUnsafeBytes { Array($0) }, way) } : nil)
        }

        private func note(_ bytes: [UInt8], _ way: TLSObserver.Way) {
            events.append(bytes.isEmpty ? .ended : way == .sent ? .sent(bytes) : .received(bytes))
        }

        var received: [UInt8] {
            events.reduce(into: []) { all, event in if case .received(let bytes) = event { all += bytes } }
        }
        var sent: [UInt8] {
            events.reduce(into: []) { all, event in if case .sent(let bytes) = event { all += bytes } }
        }
        /// The labels of the keys.
        var keys: [String] {
            events.compactMap { event in
                guard case .key(let line) = event else { return nil }
                return String(line.prefix { $0 != " " })
            }
        }
    }

    private static let labels = [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0", "EXPORTER_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET", "SERVER_TRAFFIC_SECRET_0",
    ]

    private func pair() throws -> Pair {
        let authority = try TestAuthority()
        return try Pair(
            Contexts.server([try Contexts.credential(authority.issue())]), Contexts.client(trusting: authority))
    }

    @Test func bothSides_seeTheSameBytes_fromTheFirstOneOn_andTheirEnds() throws {
        let pair = try pair()
        let (server, client) = (Trace(pair.server), Trace(pair.client))
        try pair.establish()
        #expect(pair.pass("ping", from: pair.client, to: pair.server) == "ping")
        #expect(pair.pass("pong", from: pair.server, to: pair.client) == "pong")
        #expect(pair.client.endWriting())
        pair.endWriting(of: pair.clientFD)
        _ = pair.readAll(pair.server)
        #expect(client.sent.prefix(1) == [22] && server.sent.prefix(1) == [22])
        #expect(client.sent == server.received)
        #expect(server.sent == client.received)
        #expect(server.keys.sorted() == Self.labels)
        #expect(Set(server.keys) == Set(client.keys))
        #expect(!client.events.contains(.ended))
    }

    /// In TLS 1.3 the server's first flight is encrypted behind its ServerHello, and Wireshark needs the keys of the stream
    /// when it sees the Finished messages.
    @Test func keys_comeBeforeTheStepThatTheyBelongTo() throws {
        let pair = try pair()
        let (client, server) = (Trace(pair.client), Trace(pair.server))
        try pair.establish()
        func isKey(_ label: String) -> (Trace.Event) -> Bool {
            { if case .key(let line) = $0 { line.hasPrefix(label + " ") } else { false } }
        }
        let received = try #require(client.events.firstIndex { if case .received = $0 { true } else { false } })
        for label in Self.labels { #expect(try #require(client.events.firstIndex(where: isKey(label))) < received) }
        let sent = try #require(server.events.firstIndex { if case .sent = $0 { true } else { false } })
        for label in Self.labels where label != "CLIENT_TRAFFIC_SECRET_0" {
            #expect(try #require(server.events.firstIndex(where: isKey(label))) < sent)
        }
        // The client's Finished.
        let last = try #require(server.events.lastIndex { if case .received = $0 { true } else { false } })
        #expect(try #require(server.events.firstIndex(where: isKey("CLIENT_TRAFFIC_SECRET_0"))) < last)
    }

    @Test func finWithoutCloseNotify_isObservedOnce() throws {
        let pair = try pair()
        try pair.establish()
        let server = Trace(pair.server)
        pair.endWriting(of: pair.clientFD)
        for _ in 0..<3 { _ = pair.readAll(pair.server) }
        #expect(server.events == [.ended])
    }

    @Test func keysAlone_areObservedWithoutBytes() throws {
        let pair = try pair()
        let server = Trace(pair.server, bytes: false)
        try pair.establish()
        #expect(server.keys.sorted() == Self.labels)
        #expect(server.events.count == Self.labels.count)
    }

    /// OpenSSL writes every key as text when a context has a callback for them.
    @Test func keys_areWrittenOnlyFromTheFirstObserverOn() throws {
        let authority = try TestAuthority()
        let server = try Contexts.server(
            ["DNS:default.example", "DNS:other.example"].map {
                try Contexts.credential(authority.issue(.init(names: [$0])))
            })
        let client = try Contexts.client(trusting: authority, verify: .chain)
        try Pair(server, client).establish()
        #expect(!server.exportsKeys)
        #expect(!client.exportsKeys)
        for name in ["default.example", "other.example"] {
            let pair = try Pair(server, client, name: name)
            let trace = Trace(pair.server, bytes: false)
            try pair.establish()
            #expect(trace.keys.sorted() == Self.labels, "\(name)")
        }
        #expect(server.exportsKeys)
        #expect(!client.exportsKeys)
        let pair = try Pair(server, client)
        let trace = Trace(pair.client)
        try pair.establish()
        #expect(trace.keys.sorted() == Self.labels)
    }
}
