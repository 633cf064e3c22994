import EventLoop
import Sockets
import TestSupport
import Testing
import Text

@testable import Recorder
@testable import Recording

/// The events of a connection in the ring of its recorder.
@Suite struct ConnectionTapTests {
    /// Bytes in a pipe when a recording begins are not recorded, and may never be delivered: the flow can end before the
    /// offset at which its recording begins.
    @Test func flowThatEnds_beforeItsRecordingBegins_isRecordedAsEmpty() async throws {
        try await LoopHarness.run { harness in
            let ring = try TapRing(capacity: 4 << 20)
            let (stream, continuation) = AsyncStream.makeStream(of: [UInt8].self)
            let recorder = try Recorder.unobserved(
                Recorder.Plan(name: "live", buffer: 4 << 20, hasRecords: false, application: "test"),
                .live(LiveQueue(continuation)))
            let producer = RingProducer(
                ring: ring, isWhole: false, workers: 1, ordinaryRead: 32 << 10, loop: harness.loop,
                hooks: RingProducer.Hooks(wake: {}, hasRoom: {}))
            let address = SocketAddress.ipv4(.loopback, port: 1)
            let origin = ConversationOrigin(
                id: 7, relay: "relay", client: address, listener: address, local: address, upstream: "127.0.0.1:2",
                upstreamName: nil, upstreamPort: 2, accepted: WallClock.now)
            let tap = ConnectionTap(
                recorder: recorder, producer: producer, origin: origin, upstreamAddress: address, upOffset: 1000,
                downOffset: 0)
            tap.record([UInt8(1)].span.bytes, of: .down, at: 0)
            tap.record([UInt8(2)].span.bytes, of: .up, at: 400)
            tap.flowEnded(.up, at: 401)
            _ = tap.stopped()
            producer.releaseReservation()
            var ends: [UInt64] = []
            _ = ring.consume { event, _, _ in
                if event.kind == .flowEnded { ends.append(event.offset) }
                return true
            }
            #expect(ends == [1000])
            #expect(tap.taken == 2 && tap.missed == 0)
            withExtendedLifetime(stream) { #expect(recorder.end()) }
        }
    }
}
