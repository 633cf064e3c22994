public import EventLoop

/// A loop for one test, on the test's own thread. The test fails if a handle is left open, if a callback is called too
/// rarely or too often, or if a deadline passes.
public final class LoopHarness {
    /// The loop.
    public let loop: EventLoop
    private var watchdog: Timer?
    private var expected: [Expectation] = []
    private var watches: [Poll] = []

    private final class Expectation {
        let name: String
        let times: Int
        var calls = 0

        init(_ name: String, _ times: Int) {
            self.name = name
            self.times = times
        }
    }

    private init() throws {
        loop = try EventLoop()
    }

    /// Runs a body with a new loop, alone in the process.
    public static func run(_ body: (LoopHarness) throws -> Void) async throws {
        try await Exclusive.run { try runAlone(body) }
    }

    private static func runAlone(_ body: (LoopHarness) throws -> Void) throws {
        let harness = try LoopHarness()
        var failure: (any Error)?
        do {
            // A loop without other handles must still notice the deadline.
            harness.watchdog = Timer(loop: harness.loop) {}
            harness.watchdog?.start(after: 20, every: 20)
            try body(harness)
            try harness.check()
        } catch {
            failure = error
        }
        let left = harness.watches.filter { !$0.isClosed }.count
        for watch in harness.watches { watch.close() }
        harness.loop.closeHandles()
        harness.loop.close()
        if let failure { throw failure }
        if left > 0 { throw TestFailure("\(left) watches were left open") }
    }

    /// Owns a watch for the duration of the test, which must close it.
    public func keep<Watch: Poll>(_ watch: Watch) -> Watch {
        watches.append(watch)
        return watch
    }

    /// A callback that must be called this many times by the end of the test.
    public func mustCall(_ name: String, times: Int = 1) -> () -> Void {
        let expectation = Expectation(name, times)
        expected.append(expectation)
        return { expectation.calls += 1 }
    }

    /// Turns the loop until every expected callback was called as often as required.
    public func turnUntilCalled() throws {
        try turn(until: "callbacks: " + missing().joined(separator: ", ")) { missing().isEmpty }
    }

    /// Turns the loop until a condition is true.
    public func turn(until what: String, _ isTrue: () -> Bool) throws {
        let deadline = Deadline()
        while !isTrue() {
            guard !deadline.isOver else { throw TestFailure("deadline passed: \(what)") }
            loop.turn(wait: true)
        }
    }

    /// Turns the loop a few more times, so that an unexpected callback would be called.
    public func turnAFewTimes() {
        for _ in 0..<3 { loop.turn(wait: true) }
    }

    private func missing() -> [String] {
        expected.filter { $0.calls < $0.times }.map { "\($0.name) (\($0.calls) of \($0.times))" }
    }

    private func check() throws {
        watchdog?.close()
        watchdog = nil
        for expectation in expected where expectation.calls != expectation.times {
            throw TestFailure("\(expectation.name) was called \(expectation.calls) times, not \(expectation.times)")
        }
        let left = loop.openHandles
        guard left.isEmpty else { throw TestFailure("handles left open: \(left)") }
    }
}
