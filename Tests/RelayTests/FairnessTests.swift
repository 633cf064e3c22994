import Relay
import Synchronization
import TestSupport
import Testing

/// `FAULTS.md`, "Back-pressure and fairness": small messages are not delayed.
@Suite struct FairnessTests {
    /// Nagle's algorithm or `SPLICE_F_MORE` would delay each message by 40 or 200 ms. On a loaded machine most rounds
    /// may be slow, but the fastest quarter is not.
    @Test(arguments: RelayHarness.Pump.allCases)
    func pingPong_ofTwoSmallMessagesEachWay_doesNotStall(pump: RelayHarness.Pump) async throws {
        try await RelayHarness.run(pump: pump) { relay, listener in
            let (client, upstream) = try relay.streamingPair(listener)
            let rounds = 100
            let echo = try Background("echo") {
                for round in 0..<rounds {
                    let start = stream + round * 40
                    try upstream.receive(upBytes, start..<start + 40)
                    try upstream.send(downBytes, start..<start + 20)
                    try upstream.send(downBytes, start + 20..<start + 40)
                }
            }
            var times: [UInt64] = []
            for round in 0..<rounds {
                let start = stream + round * 40
                let begin = Deadline.now
                try client.send(upBytes, start..<start + 20)
                try client.send(upBytes, start + 20..<start + 40)
                try client.receive(downBytes, start..<start + 40)
                times.append(Deadline.now - begin)
            }
            try echo.value()
            #expect(times.sorted()[rounds / 4] < 30_000_000)
        }
    }

    /// One stream at full speed, on the loop that it shares with the connections that exchange messages.
    @Test(arguments: RelayHarness.Pump.allCases)
    func firehoseWithTalkers_talkersAreServed(pump: RelayHarness.Pump) async throws {
        try await RelayHarness.run(pump: pump) { relay, listener in
            let (source, sink) = try relay.pair(listener)
            let isOver = Flag()
            let firehose = try Background("firehose") {
                var position = 0
                while !isOver.isSet {
                    try source.send(upBytes, position..<position + 1 << 20)
                    position += 1 << 20
                }
                source.endWriting()
                return position
            }
            let drain = try Background("drain") { try sink.receiveToEnd(upBytes, within: .seconds(600)) }
            let talkers = try (0..<50).map { _ in try relay.pair(listener) }
            var times: [UInt64] = []
            for round in 0..<20 {
                let range = round * message..<(round + 1) * message
                for talker in talkers {
                    let begin = Deadline.now
                    try talker.client.send(upBytes, range)
                    try talker.upstream.receive(upBytes, range)
                    times.append(Deadline.now - begin)
                }
            }
            isOver.set()
            let sent = try firehose.value()
            #expect(try drain.value() == .fin(sent))
            #expect(sent > 1 << 20)
            // The bound of the design is for the release build; this test only detects a starved loop.
            #expect(times.sorted()[times.count / 2] < 200_000_000)
        }
    }

    private final class Flag: Sendable {
        private let value = Atomic(false)
        var isSet: Bool { value.load(ordering: .relaxed) }
        func set() { value.store(true, ordering: .relaxed) }
    }
}
