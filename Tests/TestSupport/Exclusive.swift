internal import EventLoop
internal import Sockets
internal import Synchronization

/// Runs one test at a time across all suites of the process, so that a test that counts descriptors or CPU time is
/// alone.
///
/// Swift Testing runs suites in parallel, and `.serialized` applies only within one. Every harness here uses this; a
/// test that opens descriptors without a harness should use it too.
public enum Exclusive {
    private struct State {
        var isTaken = false
        var sharers = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
        var waitingToShare: [CheckedContinuation<Void, Never>] = []
        var isWarm = false
    }

    private static let state = Mutex(State())

    /// Runs the body when its turn comes, and fails if it leaves a descriptor open for longer than `patience`. Peers
    /// that the body left open are closed first.
    public static func run<Result>(
        patience: Duration = .seconds(30), _ body: () async throws -> Result
    ) async throws -> Result {
        await enter()
        defer { leave() }
        try await warmUp()
        let before = Descriptors.now()
        do {
            let result = try await body()
            Peer.closeAll()
            try Descriptors.expect(before, within: patience)
            return result
        } catch {
            Peer.closeAll()
            throw error
        }
    }

    // MARK: Turns

    private static func enter() async {
        await withCheckedContinuation { continuation in
            let isMine = state.withLock { state in
                if state.isTaken || state.sharers > 0 {
                    state.waiting.append(continuation)
                    return false
                }
                state.isTaken = true
                return true
            }
            if isMine { continuation.resume() }
        }
    }

    private static func leave() {
        let next = state.withLock { state in
            state.isTaken = false
            let sharers = state.waitingToShare
            state.waitingToShare = []
            state.sharers = sharers.count
            return sharers.isEmpty ? nextAlone(&state) : sharers
        }
        for continuation in next { continuation.resume() }
    }

    /// Waits until no test is alone. For tests whose descriptors may change while they run together, such as those of
    /// programs that they start; they take precedence. `leaveShared` must follow.
    public static func enterShared() async {
        await withCheckedContinuation { continuation in
            let isMine = state.withLock { state in
                if state.isTaken {
                    state.waitingToShare.append(continuation)
                    return false
                }
                state.sharers += 1
                return true
            }
            if isMine { continuation.resume() }
        }
    }

    /// Ends what `enterShared` began: from now on the caller's descriptors do not change.
    public static func leaveShared() {
        let next = state.withLock { state in
            state.sharers -= 1
            return state.sharers == 0 ? nextAlone(&state) : []
        }
        for continuation in next { continuation.resume() }
    }

    /// The next test that is to run alone, if one waits.
    private static func nextAlone(_ state: inout State) -> [CheckedContinuation<Void, Never>] {
        guard !state.waiting.isEmpty else { return [] }
        state.isTaken = true
        return [state.waiting.removeFirst()]
    }

    // MARK: The first time

    /// Opens what the process opens once and keeps: libuv's signal pipe and thread pool, whose threads would otherwise
    /// inherit the name of the first worker that looks a name up, and the runtime's timers.
    private static func warmUp() async throws {
        let isFirst = state.withLock { state in
            defer { state.isWarm = true }
            return !state.isWarm
        }
        guard isFirst else { return }
        EventLoop.prepareProcess()
        try await startTimers()
        try oneLoop()
    }

    /// The runtime keeps a descriptor for the timers of each clock. It opens one only if a time is still ahead when it
    /// looks; on a busy machine a short time has already passed by then.
    private static func startTimers() async throws {
        var pause = Duration.milliseconds(1)
        while pause < .seconds(10), Descriptors.now().values.count(where: { $0 == "anon_inode:[timerfd]" }) < 2 {
            try await Task.sleep(for: pause, clock: .continuous)
            try await Task.sleep(for: pause, clock: .suspending)
            pause *= 4
        }
    }

    private static func oneLoop() throws {
        let loop = try EventLoop()
        _ = try NameLookup(loop: loop, host: "127.0.0.1") { _ in }
        loop.run()
        loop.close()
    }
}
