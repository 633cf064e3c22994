public import Testing

/// For tests that open descriptors while other tests run in the process: they do not run while another test checks for
/// leaked descriptors.
public struct BesideOthers: SuiteTrait, TestTrait, TestScoping {
    /// Also the tests of a suite.
    public var isRecursive: Bool { true }

    /// Runs the test as one of those that share the process.
    public func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        await Exclusive.enterShared()
        defer { Exclusive.leaveShared() }
        try await function()
    }
}

extension Trait where Self == BesideOthers {
    /// Does not run while another test checks for leaked descriptors.
    public static var besideOthers: Self { Self() }
}
