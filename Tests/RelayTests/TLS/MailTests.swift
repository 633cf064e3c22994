import Configuration
import Relay
import Sockets
import TLS
import TestSupport
import Testing

/// STARTTLS of SMTP and IMAP, with clients and with the upstream.
@Suite struct MailTests {
    /// The messages of a protocol.
    struct Words: Sendable {
        let starttls: StartTLSProtocol
        let greeting, start, answer, first, refusal: String
        /// What the relay sends a server, and what the server answers.
        let dialogue: [(sent: String, answer: String)]
        /// What a client gets from the relay, before TLS.
        let welcome: String
    }

    private static let all = [
        Words(
            starttls: .smtp, greeting: "220-mail.example\r\n220 ESMTP\r\n", start: "STARTTLS\r\n",
            answer: "220 2.0.0 TLS begins\r\n", first: "EHLO a\r\n", refusal: "554 5.7.1 go away\r\n",
            dialogue: [
                ("EHLO localhost\r\n", "250-mail.example\r\n250 STARTTLS\r\n"), ("STARTTLS\r\n", "220 go\r\n"),
            ], welcome: "220 localhost ESMTP\r\n"),
        Words(
            starttls: .imap, greeting: "* OK IMAP4 server ready\r\n", start: "a STARTTLS\r\n",
            answer: "a OK TLS begins\r\n", first: "b CAPABILITY\r\n", refusal: "* BYE go away\r\n",
            dialogue: [("tls STARTTLS\r\n", "tls OK go\r\n")],
            welcome: "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n"),
    ]

    private func run(_ sides: SecureSides, _ words: Words, _ body: (SecureScene) async throws -> Void) async throws {
        try await SecureScene.run(sides) { relay, _ in
            relay.tls?.session.startTLS = words.starttls
            relay.upstreamTLS?.session.startTLS = words.starttls
        } _: {
            try await body($0)
        }
    }

    private func expect(_ text: String, at peer: Peer) throws {
        #expect(try peer.receive(count: text.utf8.count) == Array(text.utf8))
    }

    /// A client that has begun TLS.
    private func client(_ scene: SecureScene, _ words: Words) throws -> SecurePeer {
        let peer = try scene.relay.connect()
        try expect(words.welcome, at: peer)
        try peer.send(Array(words.start.utf8))
        try expect(words.answer, at: peer)
        let client = try SecurePeer(client: peer, scene.client)
        try client.establish()
        return client
    }

    /// The upstream, which has begun TLS.
    private func upstream(_ scene: SecureScene, _ words: Words) throws -> SecurePeer {
        let peer = try scene.listener.accept()
        try peer.send(Array(words.greeting.utf8))
        for (sent, answer) in words.dialogue {
            try expect(sent, at: peer)
            try peer.send(Array(answer.utf8))
        }
        let upstream = try SecurePeer(server: peer, SecureScene.context(scene.authority))
        try upstream.establish()
        return upstream
    }

    /// The upstream's greeting is left out: the client has had one. What follows it arrives.
    @Test(arguments: [0, 1], ["", "250 early\r\n"])
    func client_beginsTLS_andGetsOneGreeting(_ index: Int, _ behind: String) async throws {
        let words = Self.all[index]
        try await run(.client, words) { scene in
            let client = try client(scene, words)
            let upstream = try scene.listener.accept()
            try upstream.send(Array((words.greeting + behind).utf8))
            try client.send(Array(words.first.utf8))
            try expect(words.first, at: upstream)
            try upstream.send(Array("done".utf8))
            upstream.endWriting()
            #expect(try client.receiveToEnd() == (Array((behind + "done").utf8), .inOrder))
            try client.endWriting()
            #expect(try upstream.receiveAll().ending == .fin)
            #expect(try scene.relay.end().end?.reason == .upstreamClosed)
        }
    }

    /// A refusal is the answer to the client's first command.
    @Test(arguments: [0, 1]) func upstreamThatRefuses_isPassedOn(_ index: Int) async throws {
        let words = Self.all[index]
        try await run(.client, words) { scene in
            let client = try client(scene, words)
            let upstream = try scene.listener.accept()
            try upstream.send(Array(words.refusal.utf8))
            upstream.endWriting()
            #expect(try client.receiveToEnd() == (Array(words.refusal.utf8), .inOrder))
            try client.endWriting()
            #expect(try upstream.receiveAll().ending == .fin)
            _ = try scene.relay.end()
        }
    }

    /// A client without TLS gets the upstream's greeting.
    @Test(arguments: [0, 1]) func upstream_beginsTLS_andAPlainClientGetsItsGreeting(_ index: Int) async throws {
        let words = Self.all[index]
        try await run(.upstream, words) { scene in
            let client = try scene.relay.connect()
            let upstream = try upstream(scene, words)
            try expect(words.greeting, at: client)
            try client.send(Array(words.first.utf8))
            #expect(try upstream.receive(count: words.first.utf8.count) == Array(words.first.utf8))
            try upstream.send([1])
            #expect(try client.receive(count: 1) == [1])
            client.endWriting()
            #expect(try upstream.receiveToEnd().ending == .inOrder)
            try upstream.endWriting()
            #expect(try client.receiveAll() == ([], .fin))
            _ = try scene.relay.end()
        }
    }

    @Test(arguments: [0, 1]) func bothSides_beginTLS(_ index: Int) async throws {
        let words = Self.all[index]
        try await run(.both, words) { scene in
            let client = try client(scene, words)
            let upstream = try upstream(scene, words)
            try client.send(Array(words.first.utf8))
            #expect(try upstream.receive(count: words.first.utf8.count) == Array(words.first.utf8))
            try upstream.send([1])
            try upstream.endWriting()
            #expect(try client.receiveToEnd() == ([1], .inOrder))
            try client.endWriting()
            #expect(try upstream.receiveToEnd().ending == .inOrder)
            let record = try scene.relay.end()
            #expect(record.sessions?.client.parameters != nil && record.sessions?.upstream.parameters != nil)
        }
    }

    @Test func client_thatSendsBytesBehindItsCommand_getsAnError() async throws {
        let words = Self.all[0]
        try await run(.client, words) { scene in
            let client = try scene.relay.connect()
            try expect(words.welcome, at: client)
            try client.send(Array("STARTTLS\r\nMAIL\r\n".utf8))
            let (answer, ending) = try client.receiveAll()
            #expect(String(decoding: answer, as: UTF8.self).hasPrefix("421 ") && ending == .fin)
            client.close()
            let record = try scene.relay.end()
            #expect(record.end?.reason == .tlsHandshakeFailed)
            #expect(record.sessions?.fault == .init(side: .client, text: "sent bytes behind its request for TLS"))
        }
    }

    @Test func client_thatQuits_isAnswered() async throws {
        let words = Self.all[0]
        try await run(.client, words) { scene in
            let client = try scene.relay.connect()
            try expect(words.welcome, at: client)
            try client.send(Array("QUIT\r\n".utf8))
            #expect(try client.receiveAll() == (Array("221 2.0.0 Bye\r\n".utf8), .fin))
            client.close()
            #expect(try scene.relay.end().end?.reason == .clientClosed)
        }
    }

    /// It did not know that it has to begin TLS.
    @Test(arguments: [true, false]) func client_thatSpeaksWithoutTLS_isKnownAsThat(_ quits: Bool) async throws {
        let words = Self.all[0]
        try await run(.client, words) { scene in
            let client = try scene.relay.connect()
            try expect(words.welcome, at: client)
            try client.send(Array("MAIL FROM:<a@b>\r\n".utf8))
            try expect("530 5.7.0 STARTTLS is required first\r\n", at: client)
            if quits { try client.send(Array("QUIT\r\n".utf8)) } else { client.endWriting() }
            _ = try client.receiveAll()
            client.close()
            let record = try scene.relay.end()
            #expect(record.end?.reason == .clientClosed)
            #expect(record.sessions?.unmet == .mailWithoutTLS(protocolName: "SMTP", answer: "530"))
        }
    }

    @Test func upstream_thatOffersNoTLS_getsNothing() async throws {
        let words = Self.all[0]
        try await run(.upstream, words) { scene in
            let client = try scene.relay.connect()
            try client.send(Array(words.first.utf8))
            let upstream = try scene.listener.accept()
            try upstream.send(Array(words.greeting.utf8))
            try expect(words.dialogue[0].sent, at: upstream)
            try upstream.send(Array("250 mail.example\r\n".utf8))
            #expect(try client.receiveAll().ending == .reset)
            let record = try scene.relay.end()
            #expect(record.end?.reason == .tlsHandshakeFailed)
            #expect(record.sessions?.fault == .init(side: .upstream, text: "does not offer TLS"))
        }
    }
}
