internal import EventLoop
internal import Sockets
internal import Synchronization

/// One test at a time, of all suites of the process: whoever counts descriptors or CPU time must be alone with them.
///
/// Swift Testing runs suites side by side, and `.serialized` holds only within one. Every harness here goes through
/// this; a test of its own that opens descriptors beside them should too.
public enum Exclusive {
    private struct State {
        var isTaken = false
        var sharers = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
        var waitingToShare: [CheckedContinuation<Void, Never>] = []
        var isWarm = false
    }

    private static let state = Mutex(State())

    /// Runs the body when its turn comes, and fails when a descriptor is left over `patience` after it. Peers that the
    /// body left open are closed for it.
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

    /// Waits until nobody is alone. For tests whose descriptors come and go beside each other, such as those of programs
    /// that they start; they go first. `leaveShared` follows.
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

    /// Ends what `enterShared` began: from here on the caller's descriptors stay as they are.
    public static func leaveShared() {
        let next = state.withLock { state in
            state.sharers -= 1
            return state.sharers == 0 ? nextAlone(&state) : []
        }
        for continuation in next { continuation.resume() }
    }

    /// Whoever is alone next, if anybody waits for that.
    private static func nextAlone(_ state: inout State) -> [CheckedContinuation<Void, Never>] {
        guard !state.waiting.isEmpty else { return [] }
        state.isTaken = true
        return [state.waiting.removeFirst()]
    }

    // MARK: The first time

    /// What the process opens once and keeps: libuv's pipe for signals and its pool of threads, which would else have the
    /// name of the worker that looks something up first, and the runtime's timers.
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

    /// The runtime keeps a descriptor for the timers of each clock. It makes one when a time is still to come as it looks:
    /// on a machine that is busy a short one is over by then.
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
