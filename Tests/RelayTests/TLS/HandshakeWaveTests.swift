import Testing

@testable import Relay

/// When memory is returned after a wave of handshakes.
@Suite struct HandshakeWaveTests {
    private static let second: UInt64 = 1_000_000_000

    private func wave(_ count: Int, stillInProgress: Int = 0) -> HandshakeWave {
        let wave = HandshakeWave()
        for _ in 0..<count { wave.began() }
        for _ in stillInProgress..<count { wave.ended() }
        return wave
    }

    @Test func wave_hasPassed_whenFewOfManyAreLeft() {
        #expect(!wave(255).hasPassed)
        #expect(wave(256).hasPassed)
        #expect(!wave(1000, stillInProgress: 1000).hasPassed)
        #expect(!wave(1000, stillInProgress: 126).hasPassed)
        #expect(wave(1000, stillInProgress: 125).hasPassed)
    }

    @Test func handshakesOneAfterTheOther_areNoWave() {
        let wave = HandshakeWave()
        for _ in 0..<10_000 {
            wave.began()
            wave.ended()
        }
        #expect(!wave.hasPassed)
    }

    @Test func returnedMemory_isNotReturnedAgain_beforeTheNextWave() {
        let wave = wave(1000, stillInProgress: 10)
        wave.returned()
        #expect(!wave.hasPassed)
        for _ in 0..<300 { wave.began() }
        for _ in 0..<300 { wave.ended() }
        #expect(wave.hasPassed)
    }

    /// Those of a wave that were still in progress have memory, too.
    @Test func restOfAWave_isReturnedLater() {
        let wave = wave(1000, stillInProgress: 100)
        wave.returned()
        #expect(!wave.hasPassed)
        for _ in 12..<100 { wave.ended() }
        #expect(wave.hasPassed)
        wave.returned()
        for _ in 0..<12 { wave.ended() }
        #expect(!wave.hasPassed)
    }

    @Test func memory_isReturned_onlyWithoutTraffic_andSeldom() {
        let memory = IdleMemory()
        let start = 100 * Self.second
        memory.noteTraffic(at: start)
        #expect(!memory.mayReturn(at: start + IdleMemory.quiet - 1))
        #expect(memory.mayReturn(at: start + IdleMemory.quiet))
        #expect(!memory.mayReturn(at: start + IdleMemory.quiet), "only once")
        #expect(!memory.mayReturn(at: start + IdleMemory.quiet + IdleMemory.pause - 1))
        memory.noteTraffic(at: start + IdleMemory.quiet + IdleMemory.pause)
        #expect(!memory.mayReturn(at: start + IdleMemory.quiet + IdleMemory.pause), "another worker has traffic")
        #expect(memory.mayReturn(at: start + 2 * IdleMemory.quiet + IdleMemory.pause))
    }

    /// The clock may go back (`Monotonic`).
    @Test func clockThatGoesBack_returnsNothing_andTrapsNothing() {
        let memory = IdleMemory()
        memory.noteTraffic(at: .max)
        #expect(!memory.mayReturn(at: 0))
        memory.noteTraffic(at: 0)
        #expect(memory.mayReturn(at: .max))
        #expect(!memory.mayReturn(at: 5))
    }
}
