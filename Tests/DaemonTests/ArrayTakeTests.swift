import Testing

@testable import Daemon

@Suite struct ArrayTakeTests {
    /// As a writer that ends while it is asked: the thread of one that was removed and not returned was never joined.
    @Test func anAnswerThatChanges_losesNoElement() {
        final class Writer {
            var asked = 0
            /// Done from the second time on.
            var isDone: Bool {
                asked += 1
                return asked > 1
            }
        }
        let writers = [Writer(), Writer()]
        var retired = writers
        #expect(retired.take(where: \.isDone).isEmpty)
        #expect(retired.count == 2)
        #expect(retired.take(where: \.isDone).count == 2)
        #expect(retired.isEmpty)
        #expect(writers.map(\.asked) == [2, 2])
    }

    @Test func taken_areThoseAskedFor_inOrder() {
        var numbers = [1, 2, 3, 4, 5]
        #expect(numbers.take { $0 % 2 == 0 } == [2, 4])
        #expect(numbers == [1, 3, 5])
    }
}
