public import Testing

/// For tests that hold descriptors open without being alone in the process: they do not run while another test counts
/// the descriptors that are left over.
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
    /// Not while another test counts descriptors.
    public static var besideOthers: Self { Self() }
}
