import Foundation
import Testing

/// `FAULTS.md`, "Ends of streams", with the built program: every byte, every counter, and nothing left over.
struct StreamEndFaultTests {
    /// The FIN of one half passes after all data; the answer comes a second and a half later, over the other half.
    @Test(.needs("python3", "curl"), arguments: ["client", "upstream"], [14, 8 << 20])
    func oneSideHalfCloses_theOtherAnswers1500msLater_arrivesWhole(first: String, size: Int) async throws {
        try await faultScene(.heavy) { bench in
            try await bench.open("a")
            let (one, other) = first == "client" ? ("a", "a'") : ("a'", "a")
            async let received = bench.puppet.receiveToEnd(other)
            let hash = try await bench.puppet.send(one, count: size)
            try await bench.puppet.finish(one)
            let got = try await received
            #expect(got.count == size && got.sha256 == hash && got.end == "fin")
            try await bench.tapline.expectIdle("one half is open, and nothing moves")
            #expect(try bench.endedSoFar == 0)

            async let answered = bench.puppet.receiveToEnd(one)
            let answerHash = try await bench.puppet.send(other, count: size + 1)
            try await bench.puppet.finish(other)
            let answer = try await answered
            #expect(answer.count == size + 1 && answer.sha256 == answerHash && answer.end == "fin")
            let record = try await bench.records(1)[0]
            let (up, down) = first == "client" ? (size, size + 1) : (size + 1, size)
            #expect(record.bytesUp == up && record.bytesDown == down)
            #expect(record.reason == "\(first)_closed" && record.closedBy == first)
            try await bench.close("a")
            try await bench.expectFlat()
        }
    }

    @Test(.needs("python3", "curl"))
    func oneSideNeverClosesItsHalf_endsByTheTimeout_andIsCountedByItsReason() async throws {
        // Long enough for a busy machine, including the first conversations of the bench.
        try await faultScene(settings: "timeouts: { half_close: 12s }") { bench in
            // Both wait at once.
            for (name, first) in [("a", "a"), ("b", "b'")] {
                try await bench.open(name)
                let other = first == name ? name + "'" : name
                try await bench.puppet.finish(first)
                #expect(try await bench.puppet.receiveToEnd(other).end == "fin")
            }
            for record in try await bench.records(2) {
                #expect(record.reason == "half_close_timeout" && record.closedBy == "tapline")
                #expect(record.durationMs >= 12_000)
            }
            // It is Tapline's own end, and therefore a reset for both sides.
            for first in ["a", "b'"] { #expect(try await bench.puppet.receiveToEnd(first).end == "reset") }
            for name in ["a", "b"] { try await bench.close(name) }
            #expect(try await bench.metric("tapline_connections_ended_total", "half_close_timeout") == 2)
            try await bench.expectFlat()
        }
    }

    /// A hundred times at the same moment, as precisely as two threads can.
    @Test(.needs("python3", "curl")) func bothSidesCloseAtOnce_isOneEndCountedOnce() async throws {
        try await faultScene { bench in
            let rounds = 100
            for number in 0..<rounds {
                let name = "\(number)"
                try await bench.open(name)
                async let client: Void = bench.puppet.close(name)
                async let upstream: Void = bench.puppet.close(name + "'")
                _ = try await (client, upstream)
            }
            let records = try await bench.records(rounds)
            #expect(Set(records.map(\.id)).count == rounds)
            #expect(records.allSatisfy { ["client_closed", "upstream_closed"].contains($0.reason) })
            #expect(records.allSatisfy { $0.bytesUp == 0 && $0.bytesDown == 0 && $0.errno == nil })
            #expect(try await bench.metric("tapline_connections_ended_total") == rounds + 2)
            #expect(try await bench.metric("tapline_connections_open") == 0)
            try await bench.expectFlat()
        }
    }

    /// The reset of either side arrives after every byte, and neither descriptors nor memory are left over.
    @Test(.needs("python3", "curl"), arguments: ["client", "upstream"])
    func oneSideResetsInMidStream_theOtherGetsAllAndAReset_andNothingStays(side: String) async throws {
        try await faultScene(.heavy) { bench in
            let size = 6 << 20
            for number in 0..<10 {
                let name = "\(number)"
                try await bench.open(name)
                let (one, other) = side == "client" ? (name, name + "'") : (name + "'", name)
                async let received = bench.puppet.receiveToEnd(other)
                let hash = try await bench.puppet.send(one, count: size)
                // Bytes that a resetting socket has not sent are lost, also without a relay.
                try await bench.puppet.flush(one)
                try await bench.puppet.reset(one)
                let got = try await received
                #expect(got.count == size && got.sha256 == hash && got.end == "reset")
                try await bench.puppet.close(other)
            }
            let records = try await bench.records(10)
            #expect(records.allSatisfy { $0.reason == "\(side)_reset" && $0.errno == "ECONNRESET" })
            #expect(records.allSatisfy { $0.bytesUp + $0.bytesDown == size })
            try await bench.expectFlat()
        }
    }

    /// Writing to a closed peer raises SIGPIPE, also through splice, and a file that is too large raises SIGXFSZ: the
    /// process ignores both, and the end has its reason.
    @Test(.needs("python3", "curl")) func closedPeer_isWrittenTo_andNoSignalIsRaised() async throws {
        try await faultScene(.heavy) { bench in
            let status = try String(contentsOfFile: "/proc/\(bench.tapline.pid)/status", encoding: .utf8)
            let mask = try #require(status.firstMatch(of: /SigIgn:\s*([0-9a-f]+)/).flatMap { UInt64($0.1, radix: 16) })
            for signal in [SIGPIPE, SIGXFSZ] { #expect(mask & 1 << (UInt64(signal) - 1) != 0, "signal \(signal)") }
            for number in 0..<10 {
                let name = "\(number)"
                try await bench.open(name)
                // Full buffers: the relay's next write meets a closed socket.
                _ = try await bench.puppet.fill(name + "'", quiet: 0.3)
                // Some bytes have arrived, and closing a socket with unread bytes resets the connection.
                try await bench.puppet.receive(name, count: 1)
                try await bench.puppet.close(name)
                #expect(try await bench.puppet.receiveToEnd(name + "'").end == "reset")
                try await bench.puppet.close(name + "'")
            }
            let records = try await bench.records(10)
            #expect(records.allSatisfy { $0.reason == "client_reset" })
            try await bench.expectFlat()
        }
    }
}
