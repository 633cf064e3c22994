import TestSupport
import Testing

/// `make test` and the sanitizers run the tests in groups, which name their targets.
@Suite struct TestGroupsTests {
    @Test(arguments: ["Makefile", ".ci/sanitize"]) func everyTestTarget_isInAGroup(file: String) throws {
        let package = try Repository.text("Package.swift")
        let targets = package.matches(of: #/name: "(\w+Tests)"/#).map { String($0.1) }
        #expect(targets.count > 10)
        let groups = try Repository.text(file)
        #expect(targets.filter { !groups.contains($0) } == [])
    }
}
