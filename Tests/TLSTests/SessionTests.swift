import Glibc
import Sockets
import TestSupport
import Testing

@testable import TLS

/// Two sessions that talk to each other.
@Suite struct SessionTests {
    private func pair(_ clients: Bool = false) throws -> Pair {
        let authority = try TestAuthority()
        let pair = try Pair(
            Contexts.server([try Contexts.credential(authority.issue())]), Contexts.client(trusting: authority))
        try pair.establish()
        return pair
    }

    @Test func handshake_usesTLS13_andBytesPassBothWays() throws {
        let pair = try pair()
        #expect(pair.server.parameters == "TLSv1.3 TLS_AES_128_GCM_SHA256")
        #expect(pair.client.parameters == pair.server.parameters)
        #expect(pair.server.serverName == "localhost")
        #expect(pair.client.peerCertificate?.dnsNames == ["localhost"])
        #expect(pair.server.peerCertificate == nil)
        #expect(pair.pass("ping", from: pair.client, to: pair.server) == "ping")
        #expect(pair.pass("pong", from: pair.server, to: pair.client) == "pong")
    }

    @Test func closeNotify_endsOneHalf_andTheOtherStillPasses() throws {
        for serverEnds in [true, false] {
            let pair = try pair()
            let (first, second) = serverEnds ? (pair.server, pair.client) : (pair.client, pair.server)
            #expect(first.endWriting())
            pair.endWriting(of: serverEnds ? pair.serverFD : pair.clientFD)
            #expect(pair.readAll(second).end == .endOfStream)
            #expect(second.end == .inOrder)
            #expect(pair.pass("later", from: second, to: first) == "later")
            #expect(second.endWriting())
            #expect(pair.readAll(first).end == .endOfStream)
            #expect(first.end == .inOrder)
        }
    }

    @Test func finWithoutCloseNotify_isAnEndOfStream_recordedAsTruncated_andTheOtherHalfStillPasses() throws {
        let pair = try pair()
        #expect(pair.pass("last", from: pair.client, to: pair.server) == "last")
        pair.endWriting(of: pair.clientFD)
        #expect(pair.readAll(pair.server).end == .endOfStream)
        #expect(pair.server.end == .truncated)
        #expect(pair.server.failure == nil)
        #expect(pair.pass("answer", from: pair.server, to: pair.client) == "answer")
    }

    @Test func endOfStream_thatComesWithBytes_isReportedByHasMore() throws {
        let pair = try pair()
        _ = pair.readAll(pair.client)
        #expect(pair.server.write(Array("last".utf8)[...]) == .moved(4))
        #expect(pair.server.endWriting())
        // No FIN: epoll has nothing more to report.
        #expect(pair.client.read(into: pair.buffer, limit: 1 << 10) == .moved(4))
        #expect(pair.client.hasMore)
        #expect(pair.client.read(into: pair.buffer, limit: 1 << 10) == .endOfStream)
    }

    @Test func bytesBeyondTheLimit_areReportedByHasMore_andReadWithoutTheSocket() throws {
        let pair = try pair()
        let sent = (0..<40_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        #expect(pair.client.write(sent[...]) == .moved(sent.count))
        var received: [UInt8] = []
        #expect(pair.server.read(into: pair.buffer, limit: 1000) == .moved(1000))
        pair.buffer.append(count: 1000, to: &received)
        #expect(pair.server.hasMore)
        while pair.server.hasMore {
            guard case .moved(let count) = pair.server.read(into: pair.buffer, limit: 1000, fromSocket: false) else {
                break
            }
            pair.buffer.append(count: count, to: &received)
        }
        #expect(!pair.server.hasMore)
        received += pair.readAll(pair.server).bytes
        #expect(received == sent)
    }

    @Test func message_takesOneReadOfTheSocket() throws {
        let pair = try pair()
        _ = pair.readAll(pair.client)
        for text in ["ping", "pong"] {
            let before = pair.client.wire.socketReads
            #expect(pair.server.write(Array(text.utf8)[...]) == .moved(4))
            #expect(pair.client.read(into: pair.buffer, limit: 32 << 10) == .moved(4))
            #expect(!pair.client.hasMore)
            #expect(pair.client.wire.socketReads == before + 1)
        }
        // Two records and a piece of a third: one read takes all of them, and no further one finds the socket empty.
        let before = pair.client.wire.socketReads
        #expect(pair.server.write([1]) == .moved(1))
        #expect(pair.server.write([2, 3]) == .moved(2))
        #expect(send(pair.serverFD, [23, 3, 3], 3, 0) == 3)
        #expect(pair.client.read(into: pair.buffer, limit: 32 << 10) == .moved(3))
        #expect(pair.client.wire.socketReads == before + 1)
        // epoll reports what comes later.
        #expect(pair.client.read(into: pair.buffer, limit: 32 << 10) == .wouldBlock)
        #expect(pair.client.wire.socketReads == before + 2)
    }

    @Test func peek_leavesTheBytes() throws {
        let pair = try pair()
        #expect(pair.server.peek(into: pair.buffer, limit: 100) == .wouldBlock)
        #expect(pair.client.write(Array("hello".utf8)[...]) == .moved(5))
        #expect(pair.server.peek(into: pair.buffer, limit: 100) == .moved(5))
        #expect(pair.server.hasMore)
        #expect(pair.readAll(pair.server).bytes == Array("hello".utf8))
    }

    @Test func write_toAFullSocket_takesPartOfIt_andContinuesWithTheSameBytesInAnotherBuffer() throws {
        let pair = try pair()
        let sent = (0..<(4 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 131 &>> 3) }
        var received: [UInt8] = []
        var offset = 0
        var waits = 0
        while offset < sent.count {
            switch pair.client.write(Array(sent[offset...])[...]) {
            case .moved(let count): offset += count
            case .wouldBlock:
                waits += 1
                received += pair.readAll(pair.server).bytes
            case let other: throw TestFailure("\(other)")
            }
        }
        received += pair.readAll(pair.server).bytes
        #expect(waits > 1)
        #expect(received == sent)
    }

    @Test func closeNotify_waitsForRoom() throws {
        let pair = try pair()
        let block = [UInt8](repeating: 7, count: 16 << 10)
        while case .moved = pair.client.write(block[...]) {}
        // A record is half sent: it has to be completed before the alert.
        var ended = false
        var received = 0
        while !ended {
            received += pair.readAll(pair.server).bytes.count
            if case .moved = pair.client.write(block[...]) { ended = pair.client.endWriting() }
        }
        let rest = pair.readAll(pair.server)
        #expect(rest.end == .endOfStream)
        #expect(pair.server.end == .inOrder)
        #expect((received + rest.bytes.count) % block.count == 0)
    }

    @Test func ticketAndCloseNotify_shareASegmentWithWhatFollows_andBytesDoNotWait() throws {
        let pair = try pair()
        #expect(pair.server.wire.wroteAhead)
        #expect(!pair.client.wire.wroteAhead)
        #expect(pair.pass("answer", from: pair.server, to: pair.client) == "answer")
        #expect(!pair.server.wire.wroteAhead)
        for session in [pair.server, pair.client] {
            #expect(session.endWriting())
            #expect(session.wire.wroteAhead)
        }
    }

    @Test func reset_isTheSocketsError() throws {
        let pair = try pair()
        #expect(pair.client.write(Array("unread".utf8)[...]) == .moved(6))
        pair.closeServer()
        _ = pair.readAll(pair.client)
        #expect(pair.readAll(pair.client).end == .failed(Errno(ECONNRESET)))
        #expect(pair.client.write([1]) == .failed(Errno(EPIPE)))
        #expect(pair.client.failure == nil)
    }

    @Test func damagedRecord_failsTheSession_andSendsAnAlert() throws {
        let pair = try pair()
        // A record of application data that no key of the session has sealed.
        let record: [UInt8] = [23, 3, 3, 0, 32] + [UInt8](repeating: 9, count: 32)
        #expect(send(pair.clientFD, record, record.count, 0) == record.count)
        #expect(pair.readAll(pair.server).end == .failed(.protocolError))
        #expect(pair.server.failure?.sentAlert?.description == "bad_record_mac")
        #expect(pair.server.failure?.description.hasPrefix("sent an invalid TLS record: ") == true)
        #expect(pair.server.read(into: pair.buffer, limit: 10) == .failed(.protocolError))
        #expect(pair.readAll(pair.client).end == .failed(.protocolError))
        #expect(pair.client.failure?.description == "sent the alert bad_record_mac")
    }

    @Test func keyUpdates_areAcceptedUntilThereAreTooMany() throws {
        let pair = try pair()
        for _ in 0..<20 { #expect(pair.client.updateKeys()) }
        #expect(pair.pass("after", from: pair.client, to: pair.server) == "after")
        for _ in 0..<200 where pair.client.updateKeys() {}
        #expect(pair.readAll(pair.server).end == .failed(.protocolError))
        #expect(pair.server.failure == TLSFailure(.tooManyKeyUpdates))
    }

    @Test func keyUpdates_areCountedWhilePeeking() throws {
        let pair = try pair()
        for _ in 0..<200 where pair.client.updateKeys() {}
        #expect(pair.server.peek(into: pair.buffer, limit: 100) == .failed(.protocolError))
        #expect(pair.server.peek(into: pair.buffer, limit: 100) == .failed(.protocolError))
        #expect(pair.server.failure == TLSFailure(.tooManyKeyUpdates))
    }

    @Test func answerToAKeyUpdate_withoutRoom_isWhatAReadWaitsFor() throws {
        let pair = try pair()
        #expect(pair.client.updateKeys(both: true))
        #expect(pair.readAll(pair.server).end == .wouldBlock)
        #expect(!pair.server.readWaitsForRoom)
        // Bytes that the client will not understand fill the server's socket.
        let block = [UInt8](repeating: 0, count: 1 << 16)
        while send(pair.serverFD, block, block.count, 0) > 0 {}
        #expect(pair.server.write([1]) == .wouldBlock)
        #expect(pair.client.write([2]) == .moved(1))
        #expect(pair.server.read(into: pair.buffer, limit: 100) == .wouldBlock)
        #expect(pair.server.readWaitsForRoom)
        while recv(pair.clientFD, pair.buffer.withMutableBytes(limit: 1 << 16) { $0.baseAddress }, 1 << 16, 0) > 0 {}
        #expect(pair.server.read(into: pair.buffer, limit: 100) == .moved(1))
        #expect(!pair.server.readWaitsForRoom)
    }

    /// The bytes that wait in a socket.
    private func unread(_ fd: CInt) -> Int {
        var count: CInt = 0
        return ioctl(fd, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
    }

    @Test func recordsOfOneByte_areReadInBoundedSteps() throws {
        let pair = try pair()
        // In large pieces, because a socket has room for few hundred small ones.
        var records: [UInt8] = []
        var sent = 0
        let piece = pair.buffer
        while records.count < 150_000 {
            guard pair.client.write([7]) == .moved(1) else { throw TestFailure("no room") }
            sent += 1
            let count = recv(pair.serverFD, piece.withMutableBytes(limit: 1024) { $0.baseAddress }, 1024, 0)
            piece.append(count: count, to: &records)
        }
        #expect(send(pair.clientFD, records, records.count, 0) == records.count)
        let limit = 6000
        guard case .moved(let count) = pair.server.read(into: pair.buffer, limit: limit) else {
            throw TestFailure("nothing was read")
        }
        // All 6,000 would take 138,000 bytes of the socket.
        #expect(count > 100 && count < limit / 2)
        #expect(unread(pair.serverFD) > 75_000)
        #expect(pair.readAll(pair.server, limit: limit).bytes.count + count == sent)
    }

    @Test func helloRequests_doNotKeepAClientInItsHandshake() throws {
        let authority = try TestAuthority()
        let pair = try Pair(
            Contexts.server([try Contexts.credential(authority.issue())]), Contexts.client(trusting: authority))
        #expect(pair.client.handshake() == .wantsRead)
        // 3,000 of them in a record.
        let record: [UInt8] = [22, 3, 3, 0x2E, 0xE0] + [UInt8](repeating: 0, count: 12_000)
        while send(pair.serverFD, record, record.count, CInt(MSG_DONTWAIT)) == record.count {}
        let before = unread(pair.clientFD)
        #expect(before > 150_000)
        #expect(pair.client.handshake() == .wantsRead)
        #expect(before - unread(pair.clientFD) <= 100_000)
    }

    @Test func garbage_endsTheHandshake_withAnAlert() throws {
        let authority = try TestAuthority()
        let pair = try Pair(
            Contexts.server([try Contexts.credential(authority.issue())]), Contexts.client(trusting: authority))
        let request = Array("GET / HTTP/1.1\r\n\r\n".utf8)
        #expect(send(pair.clientFD, request, request.count, 0) == request.count)
        guard case .refused(let failure) = pair.server.handshake() else { throw TestFailure("not refused") }
        #expect(failure.description.hasPrefix("cannot speak TLS with Tapline: it sent HTTP without TLS"))
        #expect(!failure.isOfCertificate && !failure.isByPeer)
    }

    @Test func endInTheHandshake_isNamed() throws {
        let authority = try TestAuthority()
        let pair = try Pair(
            Contexts.server([try Contexts.credential(authority.issue())]), Contexts.client(trusting: authority))
        #expect(pair.client.handshake() == .wantsRead)
        #expect(pair.server.handshake() == .wantsRead)
        pair.endWriting(of: pair.clientFD)
        #expect(pair.server.handshake() == .refused(TLSFailure(.endedInHandshake)))
    }

    @Test func bytesReadBefore_beginTheHandshake() throws {
        let authority = try TestAuthority()
        let server = try Contexts.server([try Contexts.credential(authority.issue())])
        let pair = try Pair(server, Contexts.client(trusting: authority))
        #expect(pair.client.handshake() == .wantsRead)
        var hello = [UInt8](repeating: 0, count: 4096)
        hello.removeLast(hello.count - recv(pair.serverFD, &hello, hello.count, 0))
        let session = try #require(TLSSession(server, fd: pair.serverFD, received: hello))
        #expect(session.handshake() == .wantsRead)
        #expect(pair.client.handshake() == .done)
        #expect(session.handshake() == .done)
        #expect(session.serverName == "localhost")
    }

    @Test func application_isChosenByTheServersPreference() throws {
        let authority = try TestAuthority()
        let server = try Contexts.server(
            [try Contexts.credential(authority.issue())], applications: ["h2", "http/1.1"])
        let pair = try Pair(server, Contexts.client(trusting: authority, applications: ["http/1.1", "h2"]))
        try pair.establish()
        #expect(pair.client.application == "h2")
        #expect(pair.server.application == "h2")
        let other = try Pair(server, Contexts.client(trusting: authority, applications: ["postgresql"]))
        let steps = try other.shakeHands()
        #expect(steps.client == .refused(TLSFailure(.alert(TLSAlert(number: 120)))))
        let silent = try Pair(server, Contexts.client(trusting: authority))
        try silent.establish()
        #expect(silent.server.application == nil)
    }
}
