import Glibc
import Sockets
import TestSupport
import Testing

/// Faults that the test harness must detect.
@Suite struct HarnessTests {
    @Test func descriptorLeftOver_failsTheTest() async throws {
        var left: CInt = -1
        let error = await #expect(throws: TestFailure.self) {
            try await Exclusive.run(patience: .seconds(1)) { left = dup(1) }
        }
        // Other tests may also hold some for a moment.
        let description = error?.description ?? ""
        #expect(description.hasPrefix("descriptors left over: ") && description.contains(" \(left) "))
        close(left)
    }

    @Test func peerLeftOpen_isClosedForTheTest() async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            _ = try Peer.connect(to: listener.address)
            _ = try listener.accept()
        }
    }

    @Test func wrongBytes_areFoundWithTheirPlace() async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            let (sender, receiver) = (try Peer.connect(to: listener.address), try listener.accept())
            let pattern = Pattern(seed: 1)
            try sender.send(pattern, 0..<1000)
            // One byte is lost, so all later bytes are misplaced.
            try sender.send(pattern, 1001..<2_000_000)
            let error = #expect(throws: TestFailure.self) { try receiver.receive(pattern, 0..<1_500_000) }
            #expect(error?.description.contains(" is wrong (in ") == true)
        }
    }

    @Test func endings_areDistinguished() async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            let pattern = Pattern(seed: 1)
            for ending in [Peer.Ending.fin, .reset] {
                let (sender, receiver) = (try Peer.connect(to: listener.address), try listener.accept())
                try sender.send(pattern, 0..<100)
                if ending == .fin { sender.close() } else { try sender.reset() }
                let received = try receiver.receiveToEnd(pattern)
                #expect(received == Peer.Received(count: 100, ending: ending))
            }
        }
    }

    @Test func deadline_thatPasses_namesTheExpectedEvent() async throws {
        let monitor = Monitor(7)
        let error = #expect(throws: TestFailure.self) {
            try monitor.wait(for: "an eight", within: .milliseconds(10)) { $0 == 8 ? true : nil }
        }
        #expect(error?.description == "deadline passed: an eight; there was 7")
    }
}
