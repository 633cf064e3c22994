import Testing

@testable import Daemon

@Suite struct ArrayExtractTests {
    /// Like a writer that ends during the evaluation: the thread of one that was removed and not returned was never
    /// joined.
    @Test func anAnswerThatChanges_losesNoElement() {
        final class Writer {
            var asked = 0
            /// True from the second evaluation on.
            var isDone: Bool {
                asked += 1
                return asked > 1
            }
        }
        let writers = [Writer(), Writer()]
        var retired = writers
        #expect(retired.extract(where: \.isDone).isEmpty)
        #expect(retired.count == 2)
        #expect(retired.extract(where: \.isDone).count == 2)
        #expect(retired.isEmpty)
        #expect(writers.map(\.asked) == [2, 2])
    }

    @Test func extracted_areTheMatching_inOrder() {
        var numbers = [1, 2, 3, 4, 5]
        #expect(numbers.extract { $0 % 2 == 0 } == [2, 4])
        #expect(numbers == [1, 3, 5])
    }
}
