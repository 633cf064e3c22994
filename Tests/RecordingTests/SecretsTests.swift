import Sockets
import TestSupport
import Testing

@testable import Recording

/// Encrypted legs in a recording, and the keys that decrypt them.
@Suite struct SecretsTests {
    private static let lines = Array("CLIENT_RANDOM 00 11\n".utf8)

    private func legs() throws -> (plain: Conversation, encrypted: Conversation) {
        let plain = try Capture.conversation(7, port: 8080)
        var origin = plain.origin
        origin.leg = ConversationOrigin.Leg(side: .client, number: 1)
        origin.upstreamPort = nil
        return (plain, Conversation(origin))
    }

    @Test func secrets_areABlockOfTheirOwn_beforeTheNextPacket() throws {
        let (_, encrypted) = try legs()
        var capture = Capture()
        capture.open(encrypted)
        capture.secrets(Self.lines, of: encrypted)
        capture.data(encrypted, .up, [1, 2, 3])
        let decoded = try DecodedCapture(capture.bytes)
        // Section, interface, name of the upstream and the handshake come first.
        #expect(decoded.blocks == [0x0A0D_0D0A, 1, 6, 4, 6, 6, 0x0A, 6])
        #expect(decoded.secrets == [Self.lines])
    }

    @Test func nextFile_hasAllSecretsOfAnOpenConversation_beforeItsFirstPacket() throws {
        let (plain, encrypted) = try legs()
        var first = Capture()
        for conversation in [plain, encrypted] { first.open(conversation) }
        first.secrets(Self.lines, of: encrypted)
        first.secrets(Self.lines, of: encrypted)
        var second = Capture(kind: .continuation)
        second.data(plain, .up, [1])
        second.data(encrypted, .up, [1])
        second.data(encrypted, .down, [2])
        let decoded = try DecodedCapture(second.bytes)
        #expect(decoded.secrets == [Self.lines + Self.lines])
        #expect(try #require(decoded.blocks.firstIndex(of: 0x0A)) < (try #require(decoded.blocks.lastIndex(of: 6))))
        #expect(decoded.blocks.filter { $0 == 0x0A }.count == 1)
    }

    /// A connection's conversations have one ID, and are not mixed up.
    @Test func legs_haveInterfacesOfTheirOwn_andComments() throws {
        let (plain, encrypted) = try legs()
        var capture = Capture()
        for conversation in [plain, encrypted] {
            capture.open(conversation)
            capture.data(conversation, .up, Array("x".utf8))
        }
        for conversation in [encrypted, plain] { capture.close(conversation, "client_closed", by: "client") }
        let decoded = try DecodedCapture(capture.bytes)
        let names = decoded.interfaces.compactMap { $0[2]?.first.map { String(decoding: $0, as: UTF8.self) } }
        #expect(names == ["web 127.0.0.1:8080", "web (encrypted, client) 127.0.0.1:8080"])
        for packet in decoded.packets {
            for comment in packet.comments.compactMap({ RecordingComment($0) }) where comment.kind != .connected {
                #expect(comment.id == 7)
                #expect(comment.leg == (packet.interface == 1 ? "client" : nil))
            }
        }
    }

    @Test func plaintext_hasAnotherServerAddress_onlyWhereBothHaveTheSamePorts() throws {
        for (port, address) in [(8080, [127, 86, 0, 1]), (80, [127, 0, 0, 1])] as [(UInt16, [UInt8])] {
            var plain = try Capture.conversation(7, port: port).origin
            var encrypted = plain
            encrypted.leg = ConversationOrigin.Leg(side: .client, number: 1)
            encrypted.upstreamPort = nil
            plain.distinguish(from: encrypted)
            var capture = Capture()
            capture.open(Conversation(plain))
            let packet = try #require(try DecodedCapture(capture.bytes).packets.first)
            #expect(packet.destination == address)
            #expect(packet.destinationPort == Int(port))
        }
    }

    @Test func sessions_areCommentsOfTheNextSegment() throws {
        let conversation = try Capture.conversation()
        conversation.secured(
            ConversationSecurity(
                side: .client, beganAfter: 12, took: 3456, parameters: "TLSv1.3 TLS_AES_128_GCM_SHA256",
                application: "http/1.1", serverName: "front.example", peer: "bob"))
        var capture = Capture()
        capture.open(conversation)
        let packets = try DecodedCapture(capture.bytes).packets
        let comments = packets.map { $0.comments.compactMap { RecordingComment($0) } }
        let secured = try #require(comments.first?.last)
        #expect(secured.kind == .secured && secured.side == "client" && secured.peer == "bob")
        #expect(secured.tls == "TLSv1.3 TLS_AES_128_GCM_SHA256" && secured.application == "http/1.1")
        #expect(secured.serverName == "front.example")
        #expect(secured.beganMicroseconds == 12 && secured.tookMicroseconds == 3456)
        #expect(comments.dropFirst().allSatisfy { !$0.contains { $0.kind == .secured } })
    }

    /// What is read back: the plaintext and its encrypted leg are two conversations of one ID, also in a second file.
    @Test func reader_tellsTheLegsApart_alsoAcrossFiles() throws {
        let (plain, encrypted) = try legs()
        var origin = plain.origin
        origin.distinguish(from: encrypted.origin)
        let distinct = Conversation(origin)
        var first = Capture()
        for conversation in [distinct, encrypted] {
            first.open(conversation)
            first.data(conversation, .up, Array("one".utf8))
        }
        first.secrets(Self.lines, of: encrypted)
        first.end()
        var second = Capture(kind: .continuation)
        for conversation in [encrypted, distinct] {
            second.data(conversation, .up, Array("two".utf8), time: 3000)
            second.close(conversation, "client_closed", by: "client")
        }
        second.end()
        let reader = RecordingReader()
        var ended: [RecordedConversation] = []
        for (index, bytes) in [first.bytes, second.bytes].enumerated() {
            if index > 0 { reader.beginNextFile() }
            reader.append(bytes)
            while let event = try reader.next() {
                if case .ended(let conversation) = event { ended.append(conversation) }
            }
            try reader.finishFile()
        }
        #expect(ended.map(\.id) == [7, 7])
        #expect(ended.map(\.leg) == [.client, nil])
        #expect(ended.map(\.up.recorded) == [6, 6])
        #expect(ended.allSatisfy { $0.reason == "client_closed" && $0.up.missing == 0 })
    }
}
