internal import EventLoop
internal import Logging
internal import Sockets

extension Worker {
    /// Rounds of the loop between two sweeps of a worker without traffic: the sweep itself, and requests for the counters.
    private static let mostIdleRounds: UInt64 = 4

    /// Returns what a wave of handshakes has left with the allocator, once no worker has traffic. Called by each sweep.
    func returnIdleMemory() {
        let rounds = loop.rounds &- roundsAtSweep
        roundsAtSweep = loop.rounds
        let now = EventLoop.nanoseconds
        guard rounds <= Self.mostIdleRounds else { return shared.idleMemory.noteTraffic(at: now) }
        guard handshakeWave.hasPassed, shared.idleMemory.mayReturn(at: now) else { return }
        handshakeWave.returned()
        Heap.returnFreeMemory()
        let took = Monotonic.elapsed(from: now, to: EventLoop.nanoseconds) / 1000
        logger.debug(
            "returned memory after a wave of TLS handshakes", metadata: ["took_us": .stringConvertible(took)])
    }
}
