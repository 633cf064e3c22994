import Synchronization
import Testing

@testable import Relay

/// Connection IDs in a sequence of upgraded processes.
struct ConnectionIDsTests {
    @Test func numbers_ofAProcess_areInOrder() {
        let ids = ConnectionIDs()
        #expect((0..<3).map { _ in ids.take() } == [1, 2, 3])
    }

    @Test(
        arguments: [
            (1, 0, 1_000_001), (100_000, 0, 1_000_001), (100_001, 0, 1_000_001), (100_002, 0, 2_000_001),
            (1_000_007, 0, 2_000_001), (5, 2_000_001, 2_000_001), (5, 9_000_001, 9_000_001),
            (UInt64.max, 0, 1), (1 << 52, 0, 1),
        ] as [(UInt64, UInt64, UInt64)])
    func nextProcess_begins_beyondAllThatTheOlderOneMayTake(next: UInt64, end: UInt64, first: UInt64) {
        #expect(ConnectionIDs.first(after: next, end) == first)
    }

    @Test func numbers_thatNoConnectionHad_areRecognised() {
        let ids = ConnectionIDs(first: 1_000_001)
        #expect(ids.last == nil)
        // An older process may have had the lower ones.
        #expect(ids.mayHaveTaken(1_000_000) && !ids.mayHaveTaken(1_000_001) && !ids.mayHaveTaken(0))
        for _ in 0..<2 { _ = ids.take() }
        #expect(ids.last == 1_000_002)
        #expect(ids.mayHaveTaken(1_000_002) && !ids.mayHaveTaken(1_000_003))
        // A process that was started for an upgrade may have had those of its block.
        let block = ids.reserve()
        #expect(ids.mayHaveTaken(block) && !ids.mayHaveTaken(block - 1))
        #expect(!ids.mayHaveTaken(block + ConnectionIDs.block))
    }

    @Test func number_thatNoProcessSends_isReplaced() {
        #expect(ConnectionIDs(first: 0).take() == 1)
        #expect(ConnectionIDs(first: .max).take() == 1)
        #expect(ConnectionIDs(first: 2_000_001).take() == 2_000_001)
    }

    /// The younger process failed and may have accepted clients, so its block of IDs is skipped.
    @Test func olderProcess_thatContinues_leavesOutTheBlocksOfFailedOnes() {
        let ids = ConnectionIDs(first: 999_998)
        #expect(ids.reserve() == 2_000_001)
        #expect(ids.reserve() == 3_000_001)
        let taken = (0..<1_000_010).map { _ in ids.take() }
        #expect(taken.first == 999_998)
        #expect(taken.contains(2_000_000))
        #expect(!taken.contains { (2_000_001..<4_000_001).contains($0) })
        #expect(taken.last == 4_000_007)
        #expect(ids.reserve() == 5_000_001)
    }

    @Test func threads_thatReachABlockTogether_takeEachNumberOnce() async {
        let ids = ConnectionIDs(first: 1_900_001)
        let first = ids.reserve()
        #expect(first == 3_000_001)
        let all = await withTaskGroup { group in
            for _ in 0..<4 { group.addTask { (0..<300_000).map { _ in ids.take() } } }
            var all: Set<UInt64> = []
            for await some in group { all.formUnion(some) }
            return all
        }
        #expect(all.count == 1_200_000)
        #expect(!all.contains { $0 >= first && $0 < first + ConnectionIDs.block })
    }
}
