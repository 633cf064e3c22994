import Configuration
import EventLoop
import Sockets
import TestSupport
import Testing
import Text

@testable import Recorder
@testable import Recording
@testable import Relay

/// What a connection tells its recordings.
@Suite struct ConnectionTapTests {
    /// What is in a pipe when a recording begins passes unseen, and may never be delivered: the flow can end before the
    /// place at which the recording of it was to begin.
    @Test func flowThatEnds_beforeItsRecordingBegins_isRecordedAsEmpty() async throws {
        try await LoopHarness.run { harness in
            let ring = try TapRing(capacity: 4 << 20)
            let registry = RecorderRegistry(application: "test", logger: LogCapture().logger) { _ in }
            let live = try #require(try registry.makeLive(relay: nil, connection: nil))
            let lane = RingProducer(
                ring: ring, isWhole: false, workers: 1, ordinaryRead: 32 << 10, loop: harness.loop,
                hooks: RingProducer.Hooks(wake: {}, hasRoom: {}))
            let address = SocketAddress.ipv4(.loopback, port: 1)
            let origin = ConversationOrigin(
                id: 7, relay: "relay", client: address, listener: address, local: address, upstream: "127.0.0.1:2",
                upstreamName: nil, upstreamPort: 2, accepted: WallClock.now)
            let tap = ConnectionTap(
                recorder: live.recorder, lane: lane, origin: origin, upstreamAddress: address, upOffset: 1000,
                downOffset: 0)
            tap.take([UInt8(1)].span.bytes, of: .down, at: 0)
            tap.take([UInt8(2)].span.bytes, of: .up, at: 400)
            tap.flowEnded(.up, at: 401)
            _ = tap.stopped()
            lane.giveBack()
            var ends: [UInt64] = []
            _ = ring.consume { event, _, _ in
                if event.kind == .flowEnded { ends.append(event.offset) }
                return true
            }
            #expect(ends == [1000])
            #expect(tap.taken == 2 && tap.missed == 0)
            withExtendedLifetime(live.tap) { registry.finish(within: 30_000) }
        }
    }
}
