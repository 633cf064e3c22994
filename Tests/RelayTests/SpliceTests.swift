import Relay
import TestSupport
import Testing

/// When a flow splices, and when it continues to splice.
@Suite struct SpliceTests {
    /// Each burst fills everything on the path, then the reader empties it. An empty source at that moment does not
    /// mean that the stream is over: a flow that returned to copying would copy a quarter of a MiB of each burst before
    /// it splices again.
    @Test func burstsToASlowReader_keepThePipe() async throws {
        let bursts = 8
        try await RelayHarness.run { relay, listener in
            let (client, upstream) = try relay.streamingPair(listener)
            let before = try await relay.live("all is counted") { $0.bytesDown == UInt64(stream) }
            var position = stream
            for _ in 0..<bursts {
                let end = try upstream.sendUntilStalled(downBytes, from: position, quiet: .milliseconds(50))
                try client.receive(downBytes, position..<end)
                position = end
            }
            let after = try await relay.live("all is counted") { $0.bytesDown == UInt64(position) }
            #expect(before.splicedDown > 0)
            let copied = (after.bytesDown - before.bytesDown) - (after.splicedDown - before.splicedDown)
            #expect(copied < UInt64(bursts) * 64 << 10, "\(copied) of \(after.bytesDown - before.bytesDown)")
        }
    }
}
