import TestSupport
import Testing

/// For tests that hold descriptors open without being alone in the process: they do not run while another test counts
/// the descriptors that are left over.
struct BesideOthers: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        await Exclusive.enterShared()
        defer { Exclusive.leaveShared() }
        try await function()
    }
}

extension Trait where Self == BesideOthers {
    static var besideOthers: Self { Self() }
}
