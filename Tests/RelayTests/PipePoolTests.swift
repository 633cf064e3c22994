import Sockets
import TestSupport
import Testing

@testable import Relay

@Suite struct PipePoolTests {
    @Test func pipes_whileFew_areLargeAndThenSmallAndThenNone() async throws {
        try await Exclusive.run {
            let descriptors = Budget(4000) {}
            let allowance = PipeAllowance(descriptors: descriptors)
            var pipes: [Pipe] = []
            while let pipe = allowance.open() { pipes.append(pipe) }
            let sizes = pipes.map(\.capacity)
            #expect(sizes.reduce(0, +) <= PipeAllowance.most)
            #expect(sizes.allSatisfy { $0 >= PipeAllowance.small })
            #expect(sizes == sizes.sorted(by: >))
            #expect(descriptors.left == 4000 - 2 * pipes.count)
            for pipe in pipes { allowance.close(pipe) }
            #expect(descriptors.left == 4000)
            pipes = []
            let again = allowance.open()
            #expect(again != nil)
            again.map(allowance.close)
        }
    }

    @Test func pipes_withoutDescriptors_areNotOpened() async throws {
        try await Exclusive.run {
            let descriptors = Budget(5) {}
            let pool = PipePool(allowance: PipeAllowance(descriptors: descriptors))
            let (first, second, third) = (pool.take(), pool.take(), pool.take())
            #expect(first != nil && second != nil && third == nil)
            for pipe in [first, second] { pipe.map { pool.give($0, isEmpty: true) } }
            #expect(descriptors.left == 1, "they wait for the next flow")
            #expect(pool.closeAll())
            #expect(descriptors.left == 5)
            #expect(!pool.closeAll())
        }
    }

    @Test func pipe_givenBackWithBytesInIt_isNeverUsedAgain() async throws {
        try await Exclusive.run {
            let descriptors = Budget(10) {}
            let pool = PipePool(allowance: PipeAllowance(descriptors: descriptors))
            let pipe = try #require(pool.take())
            pool.give(pipe, isEmpty: false)
            #expect(descriptors.left == 10)
            let next = try #require(pool.take())
            #expect(next !== pipe)
            pool.give(next, isEmpty: true)
            #expect(pool.take() === next)
            pool.give(next, isEmpty: false)
        }
    }
}
