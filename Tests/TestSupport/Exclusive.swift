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
        var waiting: [CheckedContinuation<Void, Never>] = []
        var isWarm = false
    }

    private static let state = Mutex(State())

    /// Runs the body when its turn comes, and fails when a descriptor is left over after it. Peers that the body left
    /// open are closed for it.
    public static func run<Result>(_ body: () async throws -> Result) async throws -> Result {
        await withCheckedContinuation { continuation in
            let isMine = state.withLock { state in
                if state.isTaken {
                    state.waiting.append(continuation)
                    return false
                }
                state.isTaken = true
                return true
            }
            if isMine { continuation.resume() }
        }
        defer {
            let next = state.withLock { state in
                if state.waiting.isEmpty {
                    state.isTaken = false
                    return nil as CheckedContinuation<Void, Never>?
                }
                return state.waiting.removeFirst()
            }
            next?.resume()
        }
        try await warmUp()
        let before = Descriptors.now()
        do {
            let result = try await body()
            Peer.closeAll()
            try Descriptors.expect(before)
            return result
        } catch {
            Peer.closeAll()
            throw error
        }
    }

    /// What the process opens once and keeps: libuv's pipe for signals and its pool of threads, which would else have the
    /// name of the worker that looks something up first, and the runtime's timers.
    private static func warmUp() async throws {
        let isFirst = state.withLock { state in
            defer { state.isWarm = true }
            return !state.isWarm
        }
        guard isFirst else { return }
        EventLoop.prepareProcess()
        try await Task.sleep(for: .milliseconds(1))
        try oneLoop()
    }

    private static func oneLoop() throws {
        let loop = try EventLoop()
        _ = try NameLookup(loop: loop, host: "127.0.0.1") { _ in }
        loop.run()
        loop.close()
    }
}
