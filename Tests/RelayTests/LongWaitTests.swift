import Configuration
import EventLoop
import Sockets
import TestSupport
import Testing

@testable import Relay

/// The effect of time on a connection that only waits. The clock is the test's, so that an hour takes milliseconds.
@Suite struct LongWaitTests {
    /// A client half-closes and does not read; the upstream answers with more than the client's sockets hold, and
    /// closes. Then the upstream's leg has hung up without an error, and is polled every 3.2 s. An 8-bit counter ended
    /// the process after 256 polls.
    @Test func clientHalfCloses_upstreamAnswersAndCloses_clientDoesNotReadForAnHour_survives() async throws {
        let answer = 96 << 10
        let timeouts = Timeouts(idle: .zero, halfClose: .seconds(55))
        try await LoopHarness.run { harness in
            let listener = try PeerListener()
            let port = try #require(listener.address.port)
            try OneWorker.run(port: port, timeouts: timeouts, sendBuffer: 4 << 10, harness) { worker in
                let client = try Peer.connect(to: worker.address, receiveBuffer: 4 << 10)
                try worker.lookup(1).answer(.success([.ipv4(.loopback, port: 0)]))
                let upstream = try worker.accept(listener)
                try client.send(upBytes, 0..<message)
                client.endWriting()
                #expect(
                    try worker.result(of: Background("request") { try upstream.receiveToEnd(upBytes) })
                        == .fin(message))
                try worker.result(
                    of: Background("answer") {
                        try upstream.send(downBytes, 0..<answer)
                        upstream.endWriting()
                    })
                // The relay has read what it keeps for the client, and the rest is in the upstream's socket.
                while try worker.live().down.held == 0 { harness.loop.turn(wait: true) }
                for _ in 0..<20 { harness.loop.turn(wait: false) }

                worker.letPass(3_600_000)
                #expect(worker.endedCount == 0)

                #expect(
                    try worker.result(of: Background("reader") { try client.receiveToEnd(downBytes) })
                        == .fin(answer))
                let record = try #require(try worker.ended().last)
                #expect(record.end?.reason == .clientClosed)
                #expect(record.bytesUp == UInt64(message))
                #expect(record.bytesDown == UInt64(answer))
            }
        }
    }

    /// The idle timeout counts from the last byte.
    @Test func connectionThatIsIdle_endsAtItsTimeout_andNotBefore() async throws {
        try await LoopHarness.run { harness in
            let listener = try PeerListener()
            let port = try #require(listener.address.port)
            try OneWorker.run(port: port, timeouts: Timeouts(idle: .seconds(3600)), harness) { worker in
                let client = try worker.clients(1)[0]
                try worker.lookup(1).answer(.success([.ipv4(.loopback, port: 0)]))
                let upstream = try worker.accept(listener)
                while try worker.live().upstream == nil { harness.loop.turn(wait: true) }
                // Half a minute is left for the time that the machine takes meanwhile.
                worker.letPass(3_570_000)
                #expect(worker.endedCount == 0)
                worker.letPass(32_000)
                #expect(try worker.ended().last?.end?.reason == .idleTimeout)
                #expect(try client.receiveToEnd(downBytes) == .reset(0))
                #expect(try upstream.receiveToEnd(upBytes) == .reset(0))
            }
        }
    }

    /// A byte in either direction restarts the timeout.
    @Test func bytesNowAndThen_keepTheConnection() async throws {
        try await LoopHarness.run { harness in
            let listener = try PeerListener()
            let port = try #require(listener.address.port)
            try OneWorker.run(port: port, timeouts: Timeouts(idle: .seconds(600)), harness) { worker in
                let client = try worker.clients(1)[0]
                try worker.lookup(1).answer(.success([.ipv4(.loopback, port: 0)]))
                let upstream = try worker.accept(listener)
                while try worker.live().upstream == nil { harness.loop.turn(wait: true) }
                for round in 0..<3 {
                    worker.letPass(500_000)
                    #expect(worker.endedCount == 0)
                    try upstream.send(downBytes, round..<round + 1)
                    try worker.result(of: Background("client") { try client.receive(downBytes, round..<round + 1) })
                    worker.letPass(500_000)
                    #expect(worker.endedCount == 0)
                    try client.send(upBytes, round..<round + 1)
                    try worker.result(of: Background("upstream") { try upstream.receive(upBytes, round..<round + 1) })
                }
                worker.letPass(602_000)
                let record = try #require(try worker.ended().last)
                #expect(record.summary == .init(.idleTimeout, up: 3, down: 3))
            }
        }
    }

    /// A client that has exchanged bytes is reset after them.
    @Test(
        arguments: [
            (Timeouts(idle: .seconds(600)), .idleTimeout), (Timeouts(lifetime: .seconds(600)), .lifetime),
        ] as [(Timeouts, EndReason)])
    func timeIsUp_afterBytesHavePassed_isAReset(timeouts: Timeouts, reason: EndReason) async throws {
        try await LoopHarness.run { harness in
            let listener = try PeerListener()
            let port = try #require(listener.address.port)
            try OneWorker.run(port: port, timeouts: timeouts, harness) { worker in
                let client = try worker.clients(1)[0]
                try worker.lookup(1).answer(.success([.ipv4(.loopback, port: 0)]))
                let upstream = try worker.accept(listener)
                try client.send(upBytes, 0..<message)
                try worker.result(of: Background("upstream") { try upstream.receive(upBytes, 0..<message) })
                try upstream.send(downBytes, 0..<message)
                try worker.result(of: Background("client") { try client.receive(downBytes, 0..<message) })
                worker.letPass(500_000)
                #expect(worker.endedCount == 0)
                worker.letPass(102_000)
                let record = try #require(try worker.ended().last)
                #expect(record.summary == .init(reason, up: message, down: message))
                #expect(try client.receiveToEnd(downBytes, from: message) == .reset(message))
                #expect(try upstream.receiveToEnd(upBytes, from: message) == .reset(message))
            }
        }
    }
}
