import EventLoop
import Glibc
import Sockets
import TestSupport
import Testing

@testable import tapline

@Suite(.besideOthers) struct DemoTests {
    init() {
        EventLoop.prepareProcess()
    }

    @Test func conversation_withTheEcho_takesEveryStepInOrder() throws {
        let echo = try EchoServer()
        defer { echo.stop() }
        let port = try #require(echo.address.port)
        let steps = try converse(with: port)
        guard steps.count == 5, case .found(let addresses) = steps[0], case .connected(let from, let to) = steps[1]
        else {
            Issue.record("unexpected: \(steps)")
            return
        }
        #expect(addresses.contains(echo.address))
        #expect(to == echo.address)
        #expect(from.isLoopback && from.port != port)
        #expect(steps[2...] == [.sent, .received, .closed])
    }

    @Test func conversation_withoutAnUpstream_failsAndSaysWhy() throws {
        // A port that was free a moment ago, and is bound without listening, so connecting to it is refused.
        let bound = try Socket(family: AF_INET)
        try bound.bind(to: .ipv4(.loopback, port: 0), sharing: false)
        let port = try #require(bound.localAddress?.port)
        let steps = try converse(with: port)
        guard case .failed(let reason) = steps.last else {
            Issue.record("unexpected: \(steps)")
            return
        }
        #expect(reason.hasSuffix(":\(port): Connection refused (ECONNREFUSED)"))
    }

    @Test func echo_sendsBackMoreThanItHolds_andEndsWithItsClient() throws {
        let echo = try EchoServer()
        defer { echo.stop() }
        let fd = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        defer { close(fd) }
        #expect(echo.address.withSockaddr { connect(fd, $0, $1) } == 0)
        let sent = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var offset = 0
        var received: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65536)
        while offset < sent.count {
            let piece = Array(sent[offset..<min(offset + 50_000, sent.count)])
            offset += Glibc.send(fd, piece, piece.count, 0)
            while received.count < offset {
                let count = recv(fd, &block, block.count, 0)
                try #require(count > 0)
                received += block[..<count]
            }
        }
        #expect(received == sent)
        shutdown(fd, CInt(SHUT_WR))
        #expect(recv(fd, &block, block.count, 0) == 0)
    }

    @Test func texts_nameThePortsToTry() {
        let relay: [SocketAddress] = [.ipv4(.loopback, port: 4000), .ipv6(.loopback, port: 4000)]
        let introduction = DemoText.introduction(relay: relay, upstream: .ipv4(.loopback, port: 5000))
        #expect(introduction.contains("127.0.0.1:4000 and [::1]:4000"))
        #expect(introduction.contains("127.0.0.1:5000"))
        #expect(DemoText.invitation(relay: relay).contains("nc -N 127.0.0.1 4000"))
        #expect(DemoText.step(.sent).contains("\"Hello, server!\" (14 bytes)"))
    }

    @Test func texts_fitATerminal() {
        let relay: [SocketAddress] = [.ipv4(.loopback, port: 40_000), .ipv6(.loopback, port: 40_000)]
        let texts = [
            DemoText.introduction(relay: relay, upstream: .ipv4(.loopback, port: 50_001)),
            DemoText.explanation(up: 14, down: 14, columns: 80), DemoText.invitation(relay: relay),
        ]
        for line in texts.joined().split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
        #expect(texts[1].contains("  closed_by, reason      the client closed it cleanly"))
    }

    /// Runs a conversation to its end and returns its steps.
    private func converse(with port: UInt16) throws -> [DemoConversation.Step] {
        let loop = try EventLoop()
        var steps: [DemoConversation.Step] = []
        let conversation = try DemoConversation(loop: loop, port: port) { steps.append($0) }
        loop.run()
        conversation.close()
        loop.closeHandles()
        loop.close()
        return steps
    }
}
