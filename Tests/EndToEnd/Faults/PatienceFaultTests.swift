import Foundation
import Testing

/// Faults that consist of waiting: what a relay survives for a minute, and for ten.
struct PatienceFaultTests {
    /// By default a half-closed connection may wait for 55 seconds, which is less than connection tracking remembers
    /// it.
    @Test(.ofMakeFaults, .needs("python3", "curl")) func halfThatStaysOpen_endsAfter55Seconds_byDefault()
        async throws
    {
        try await faultScene(.waiting) { bench in
            for (name, first) in [("a", "a"), ("b", "b'")] {
                try await bench.open(name)
                try await bench.puppet.finish(first)
                #expect(try await bench.puppet.receiveToEnd(first == name ? name + "'" : name).end == "fin")
            }
            let records = try await bench.scene.rest { try await bench.records(2, within: .seconds(120)) }
            for record in records {
                #expect(record.reason == "half_close_timeout" && record.closedBy == "tapline")
                // A deadline fires at most 250 ms late; the rest is for a busy machine.
                #expect((55_000..<75_000).contains(record.durationMs), "after \(record.durationMs) ms")
            }
            for side in ["a", "b'"] { #expect(try await bench.puppet.receiveToEnd(side).end == "reset") }
            #expect(try await bench.metric("tapline_connections_ended_total", "half_close_timeout") == 2)
            for name in ["a", "b"] { try await bench.close(name) }
            try await bench.expectFlat()
        }
    }

    /// A debugger has stopped a client and an upstream: their systems answer probes, with a closed window. Ten minutes
    /// are ten times the limit for a dead peer.
    @Test(.ofMakeFaults, .needs("python3")) func peersAtABreakpointForTenMinutes_stay_andGetEverything() async throws {
        try await scene(.waiting) { scene in
            let awake = try scene.puppet()
            let asleep = try scene.puppet()
            let (near, far) = (try await awake.listen("near"), try await asleep.listen("far"))
            let tapline = try await scene.run(
                relays: """
                      - { name: near, listen: '127.0.0.1:0', upstream: '\(near)' }
                      - { name: far, listen: '127.0.0.1:0', upstream: '\(far)' }
                    """, listeners: 2)
            try await asleep.connect("client", to: tapline.listeners[0])
            try await awake.accept("of the client", from: "near")
            try await awake.connect("of the upstream", to: tapline.listeners[1])
            try await asleep.accept("upstream", from: "far")
            try await asleep.stop()
            var sent: [RecordingBench.Sent] = []
            for name in ["of the client", "of the upstream"] { sent.append(try await awake.fill(name, quiet: 2)) }
            try await tapline.expectIdle("two peers are at a breakpoint")

            // The wait is the fault itself, and not a wait for an event.
            try await scene.rest { try await Task.sleep(for: .seconds(600)) }
            #expect(try tapline.recordsSoFar.isEmpty)
            try await tapline.expectIdle("two peers have been at a breakpoint for ten minutes")
            try await asleep.goOn()
            for (number, name) in ["of the client", "of the upstream"].enumerated() {
                try await awake.finish(name)
                let got = try await asleep.receiveToEnd(number == 0 ? "client" : "upstream", within: .seconds(180))
                #expect(got.count == sent[number].count && got.sha256 == sent[number].sha256 && got.end == "fin")
            }
            for name in ["client", "upstream"] { try await asleep.close(name) }
            let records = try await tapline.records(2)
            #expect(records.first { $0.relay == "near" }?.reason == "upstream_closed")
            #expect(records.first { $0.relay == "far" }?.reason == "client_closed")
            #expect(records.allSatisfy { $0.durationMs > 600_000 && $0.errno == nil })
            try await tapline.stop()
        }
    }
}
