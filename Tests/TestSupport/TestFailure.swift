/// Why a test cannot go on, in words: a deadline that passed, a call that failed, something left over.
public struct TestFailure: Error, Hashable, CustomStringConvertible {
    /// One sentence for whoever reads the failed run.
    public let description: String

    /// Wraps the sentence.
    public init(_ description: String) {
        self.description = description
    }
}
