import Testing

@testable import Recording

struct QueueTests {
    @Test func queue_keepsItsOrder_whereverElementsAreInserted() {
        var random = Random(seed: 5)
        var queue = Queue<Int>()
        var expected: [Int] = []
        for number in 0..<20_000 {
            if random.next(below: 5) == 0 || (number > 10_000 && number % 3 > 0) {
                #expect(queue.popFirst() == expected.first)
                if !expected.isEmpty { expected.removeFirst() }
            } else {
                let place = random.next(below: expected.count + 1)
                queue.insert(number, at: place)
                expected.insert(number, at: place)
            }
            if queue.count != expected.count || queue.first != expected.first || queue.last != expected.last {
                Issue.record("differs after \(number)")
                return
            }
        }
        #expect((0..<queue.count).map { queue[$0] } == expected)
    }
}
