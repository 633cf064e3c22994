import Configuration
import Relay
import Sockets
import TLS
import TestSupport
import Testing

@testable import Relay

/// Handshakes that fail, and what the records say about it.
@Suite struct TLSHandshakeTests {
    @Test func clientThatSpeaksHTTP_getsAnAnswerThatItCanRead() async throws {
        try await SecureScene.run(.client) { scene in
            let client = try scene.relay.connect()
            try client.send(Array("GET / HTTP/1.1\r\n\r\n".utf8))
            let (answer, ending) = try client.receiveAll()
            #expect(String(decoding: answer, as: UTF8.self).hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
            #expect(String(decoding: answer, as: UTF8.self).hasSuffix("\r\n\r\nThis port speaks TLS: use https://\n"))
            #expect(ending == .fin)
            client.close()
            let record = try scene.relay.end()
            #expect(record.end?.reason == .tlsHandshakeFailed)
            #expect(record.closedBy == .client)
            #expect(
                record.sessions?.fault
                    == .init(
                        side: .client, text: "cannot speak TLS with Tapline: it sent HTTP without TLS",
                        remedy: .useHTTPS))
            #expect(record.failureSentence?.hasPrefix("the TLS handshake failed: the client cannot speak TLS") == true)
            #expect(record.upstreamAddress == nil)
        }
    }

    /// What a client sent that is not TLS is named, and no answer is made up for it.
    @Test(
        arguments: [
            ([0, 0, 0, 8, 4, 210, 22, 47], "it sent PostgreSQL's SSLRequest", .startTLS("postgres")),
            (Array("SSH-2.0-\"x\r\n".utf8), "its bytes are not TLS: it began with `SSH-2.0-?x`", .shareVersion),
            ([0x80, 0, 0, 0, 0, 0], "its bytes are not TLS", .shareVersion),
        ] as [([UInt8], String, SessionFacts.Remedy)])
    func plainClient_isReset_andTheRecordSaysWhatItSent(
        _ bytes: [UInt8], _ words: String, _ remedy: SessionFacts.Remedy
    ) async throws {
        try await SecureScene.run(.client) { scene in
            let client = try scene.relay.connect()
            try client.send(bytes)
            #expect(try client.receiveAll() == ([], .reset))
            let text = "cannot speak TLS with Tapline: " + words
            #expect(try scene.relay.end().sessions?.fault == .init(side: .client, text: text, remedy: remedy))
        }
    }

    @Test func malformedHello_isAnsweredWithAnAlert_whichTheClientCanRead() async throws {
        try await SecureScene.run(.client) { scene in
            let client = try scene.relay.connect()
            // A ClientHello of one byte, and bytes after it that Tapline does not read in the handshake.
            try client.send([22, 3, 1, 0, 5, 1, 0, 0, 1, 0] + [UInt8](repeating: 1, count: 200_000))
            let (bytes, ending) = try client.receiveAll()
            // A fatal alert: decode_error.
            #expect(bytes == [21, 3, 1, 0, 2, 2, 50] || bytes == [21, 3, 3, 0, 2, 2, 50])
            #expect(ending == .fin)
            client.close()
            let record = try scene.relay.end()
            #expect(record.end?.reason == .tlsHandshakeFailed)
            #expect(record.sessions?.fault?.text.hasSuffix("(alert sent: decode_error)") == true)
        }
    }

    @Test func clientThatClosesAtOnce_isNoFailure() async throws {
        try await SecureScene.run(.client) { scene in
            try scene.relay.connect().close()
            let record = try scene.relay.end()
            #expect(record.summary == .init(.clientClosed, up: 0, down: 0))
            #expect(record.sessions?.fault == nil)
        }
    }

    @Test func clientThatEndsInTheHandshake_isNamed() async throws {
        try await SecureScene.run(.client) { scene in
            let client = try scene.relay.connect()
            try client.send([22, 3, 1, 1, 0])
            client.endWriting()
            _ = try client.receiveAll()
            let record = try scene.relay.end()
            #expect(record.end?.reason == .tlsHandshakeFailed)
            #expect(
                record.sessions?.fault
                    == .init(
                        side: .client, text: "ended its stream during the handshake", remedy: .clientMayDistrust))
        }
    }

    @Test(arguments: [Side.client, .upstream]) func silentPeer_timesOut(_ side: Side) async throws {
        try await SecureScene.run(side == .client ? .client : .upstream) { relay, _ in
            relay.timeouts.connect = .milliseconds(200)
            relay.tls?.session.handshake = .milliseconds(600)
            relay.upstreamTLS?.session.handshake = .milliseconds(600)
        } _: { scene in
            let client = try scene.relay.connect()
            let upstream = side == .upstream ? try scene.listener.accept() : nil
            #expect(try client.receiveAll().ending == .reset)
            upstream?.close()
            let record = try scene.relay.end()
            // Longer than the connect timeout: the handshake has a limit of its own.
            #expect(record.summary.reason == .tlsHandshakeTimeout)
            #expect(record.closedBy == .tapline)
            #expect((record.end?.duration ?? 0) >= 600_000_000)
        }
    }

    @Test func silentClient_isShownWithItsSilence() async throws {
        try await SecureScene.run(.client) { scene in
            let client = try scene.relay.connect()
            try scene.relay.awaitOpen(1)
            let deadline = Deadline()
            var quiet: UInt64 = 0
            while quiet < 50, !deadline.isOver {
                Deadline.letPass(.milliseconds(10))
                quiet = await scene.relay.service.liveConnections(kernel: false).first?.up.quiet ?? 0
            }
            #expect(quiet >= 50)
            client.close()
            try scene.relay.ended()
        }
    }

    @Test func upstreamsCertificate_isRefused_andTheRecordSaysWhy() async throws {
        try await SecureScene.run(.upstream) { relay, _ in
            let other = try TLSTrust(authorities: TestAuthority("Other CA").certificate)
            relay.upstreamTLS?.loaded = LoadedTLS(try TLSClientContext(verify: .full, trust: other))
        } _: { scene in
            let client = try scene.relay.connect()
            let upstream = try SecurePeer(server: scene.listener.accept(), SecureScene.context(scene.authority))
            guard case .refused(let seen) = try upstream.shakeHands() else { throw TestFailure("not refused") }
            #expect(seen.description == "sent the alert unknown_ca")
            #expect(try client.receiveAll().ending == .reset)
            let record = try scene.relay.end()
            #expect(record.end?.reason == .tlsCertificateRefused)
            #expect(record.closedBy == .upstream)
            let text = try #require(record.sessions?.fault?.text)
            #expect(text.contains("unable to get local issuer certificate"))
            #expect(text.contains("presented: no subject, names localhost, issued by CN=Test CA"))
            // One line for a terminal; `why` has the rest.
            #expect(
                record.failureSentence
                    == "\(record.upstream): its certificate is issued by CN=Test CA, which is not trusted; trust it with "
                    + "--tls-ca FILE")
        }
    }

    @Test func plainUpstream_isRecorded() async throws {
        try await SecureScene.run(.upstream) { scene in
            let client = try scene.relay.connect()
            let upstream = try scene.listener.accept()
            try upstream.send(Array("220 mail.example.com ESMTP\r\n".utf8))
            #expect(try client.receiveAll().ending == .reset)
            let record = try scene.relay.end()
            #expect(record.end?.reason == .tlsHandshakeFailed)
            #expect(record.closedBy == .upstream)
            #expect(
                record.sessions?.fault
                    == .init(
                        side: .upstream,
                        text: "cannot speak TLS with Tapline: its bytes are not TLS: it began with "
                            + "`220 mail.example.com ESMTP`", remedy: .startTLS("smtp")))
        }
    }

    @Test func upstreamsOtherName_isNamedWithTheOneThatIsChecked() async throws {
        try await SecureScene.run(.upstream) { relay, _ in
            relay.upstreamTLS?.serverName = "other.example"
        } _: { scene in
            let client = try scene.relay.connect()
            let upstream = try SecurePeer(server: scene.listener.accept(), SecureScene.context(scene.authority))
            _ = try upstream.shakeHands()
            #expect(try client.receiveAll().ending == .reset)
            let record = try scene.relay.end()
            #expect(record.sessions?.fault?.remedy == .serverName("other.example", presented: "localhost"))
            #expect(
                record.failureSentence
                    == "\(record.upstream): its certificate is for localhost, not for other.example; name it with "
                    + "--tls-server-name NAME")
        }
    }

    @Test func protocolsThatDoNotMatch_areBothNamed() async throws {
        try await SecureScene.run(.client) { relay, authority in
            let issued = try authority.issue()
            relay.tls?.session.applications = ["h2"]
            relay.tls?.loaded = LoadedTLS(
                try TLSServerContext(
                    credentials: [TLSCredential(chain: issued.certificate, key: issued.key)], applications: ["h2"]))
        } _: { scene in
            let context = try TLSClientContext(
                verify: .full, trust: TLSTrust(authorities: scene.authority.certificate),
                applications: ["http/1.1", "x"])
            let peer = try scene.relay.connect()
            let client = try SecurePeer(client: peer, context)
            guard case .refused = try client.shakeHands() else { throw TestFailure("not refused") }
            peer.close()
            let fault = try scene.relay.end().sessions?.fault
            #expect(fault?.remedy == .application(offered: "http/1.1, x", allowed: "h2"))
            #expect(fault?.text.contains("no application protocol in common; it offered http/1.1, x (alert") == true)
        }
    }

    @Test func clientThatDoesNotTrust_isRecordedWithTheIssuer() async throws {
        try await SecureScene.run(.client) { relay, _ in
            relay.tls?.certificates = [.init(chain: "/etc/server.pem", key: "/etc/server.key")]
        } _: { scene in
            let other = try TLSTrust(authorities: TestAuthority("Other CA").certificate)
            let peer = try scene.relay.connect()
            let client = try SecurePeer(client: peer, TLSClientContext(verify: .full, trust: other))
            guard case .refused = try client.shakeHands() else { throw TestFailure("not refused") }
            peer.close()
            let record = try scene.relay.end()
            #expect(record.end?.reason == .tlsCertificateRefused)
            #expect(
                record.sessions?.fault?.remedy == .completeChain(chain: "/etc/server.pem", issuer: "CN=Test CA"))
        }
    }

    @Test func upstreamThatResets_isRecordedAsReset() async throws {
        try await SecureScene.run(.upstream) { scene in
            let client = try scene.relay.connect()
            let upstream = try scene.listener.accept()
            // Its hello is there, so that the reset discards nothing that is still to be read.
            _ = try upstream.receive(count: 5)
            upstream.resetNow()
            #expect(try client.receiveAll().ending == .reset)
            #expect(try scene.relay.end().end?.reason == .upstreamReset)
        }
    }

    @Test func client_isKnownByItsCertificate_orRefused() async throws {
        try await SecureScene.run(.client) { relay, authority in
            let issued = try authority.issue()
            let context = try TLSServerContext(
                credentials: [TLSCredential(chain: issued.certificate, key: issued.key)],
                clients: .init(
                    trust: TLSTrust(authorities: authority.certificate), isRequired: true,
                    allowed: .init(dns: ["*.internal"])))
            relay.tls?.loaded = LoadedTLS(context)
        } _: { scene in
            func connect(_ name: String) throws -> SecurePeer {
                let own = try scene.authority.issue(.init(names: ["DNS:\(name)"]))
                let context = try TLSClientContext(
                    verify: .full, trust: TLSTrust(authorities: scene.authority.certificate),
                    credential: TLSCredential(chain: own.certificate, key: own.key))
                let peer = try SecurePeer(client: scene.relay.connect(), context)
                try peer.establish()
                return peer
            }
            let good = try connect("web.internal")
            let upstream = try scene.accept()
            try good.endWriting()
            #expect(try upstream.receiveToEnd().ending == .fin)
            try upstream.endWriting()
            #expect(try good.receiveToEnd().ending == .inOrder)
            // TLS 1.3: the alert is the first that the client reads.
            let bad = try connect("web.external")
            guard case .failed(let seen) = try bad.receiveToEnd().ending else { throw TestFailure("no alert") }
            #expect(seen.isOfCertificate && seen.isByPeer)
            bad.peer.close()
            let records = try scene.relay.endedInOrder(2)
            #expect(records[0].sessions?.client.peer == "web.internal")
            #expect(records[1].end?.reason == .tlsCertificateRefused)
            #expect(records[1].sessions?.fault?.text.contains("required: one of dns *.internal") == true)
        }
    }

    @Test func steps_ofOneTurn_areBounded() {
        var bound = HandshakeBound()
        let first = (0..<100).count { _ in bound.take(in: 7) }
        #expect(first == HandshakeBound.most)
        let next = bound.take(in: 8)
        #expect(next)
    }
}
