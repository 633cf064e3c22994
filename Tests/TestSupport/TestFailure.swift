/// Why a test cannot continue: a deadline that passed, a call that failed, something left over.
public struct TestFailure: Error, Hashable, CustomStringConvertible {
    /// One sentence for the report of the failed run.
    public let description: String

    /// Wraps the sentence.
    public init(_ description: String) {
        self.description = description
    }
}
