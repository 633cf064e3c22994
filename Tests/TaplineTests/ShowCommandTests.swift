import ArgumentParser
import Testing

@testable import tapline

struct ShowCommandTests {
    @Test(
        arguments: [
            (["a"], ["a"], nil), (["a", "7"], ["a"], 7), (["a", "b", "#12"], ["a", "b"], 12), (["7"], ["7"], nil),
            (["a", "x7"], ["a", "x7"], nil), (["a", "-1"], ["a", "-1"], nil), (["a", "#"], ["a", "#"], nil),
        ] as [([String], [String], UInt64?)])
    func numberAtTheEnd_isTheConnection(arguments: [String], paths: [String], connection: UInt64?) {
        let split = RecordingArguments.split(arguments)
        #expect(split.paths == paths && split.connection == connection)
    }

    @Test(arguments: [
        ["show", "x", "--json"], ["show", "x", "--sort", "-bytes"], ["show", "x", "y", "7", "--reason", "lifetime"],
        ["show", "x", "#7", "--utc"], ["why", "7"], ["why", "x", "7"], ["tail", "--utc"],
    ])
    func commandLine_isAccepted(arguments: [String]) throws {
        _ = try Tapline.parseAsRoot(arguments)
    }

    @Test(
        arguments: [
            (["show"], "<file>"), (["show", "x", "--format", "xml"], "summary"),
            (["show", "x", "--flow", "up"], "--format text"),
            (["show", "x", "--flow", "left", "--format", "raw"], "up or down"),
            (["show", "x", "--sort", "rate"], "bytes_up"),
            (["show", "x", "--sort", "id", "--json"], "the order of time"),
            (["show", "x", "--closed-by", "me"], "client, upstream or tapline"),
            (["show", "x", "--json", "--format", "hex"], "--json"), (["show", "a", "b", "--follow"], "one file"),
            (["show", "x", "7", "--connection", "8"], "different connections"), (["why", "x"], "tapline why FILE ID"),
            (["why", "x", "y"], "tapline why FILE ID"), (["why", "x", "7", "--json"], "running tapline"),
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
