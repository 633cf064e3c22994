import ArgumentParser
import Testing

@testable import tapline

struct ShowCommandTests {
    @Test(
        arguments: [
            (["show"], "<file>"), (["show", "x", "--format", "xml"], "summary"),
            (["show", "x", "--flow", "up"], "--format text"),
            (["show", "x", "--flow", "left", "--format", "raw"], "up or down"),
            (["show", "-", "--follow"], "Standard input"), (["show", "x", "--connection", "-1"], "--connection"),
        ])
    func wrongCommandLine_isExplained(arguments: [String], words: String) {
        do {
            _ = try Tapline.parseAsRoot(arguments)
            Issue.record("it was taken")
        } catch {
            #expect(Tapline.fullMessage(for: error).contains(words))
            #expect(Tapline.exitCode(for: error).rawValue == 64)
        }
    }
}
