import ArgumentParser
import Terminal
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
        ["show", "x", "#7", "--utc"], ["why", "7"], ["why", "x", "7"], ["why", "x", "7", "--json"], ["why", "/"],
        ["show", "-r", "web", "x"], ["connections", "--sort", "-bytes"], ["connections", "--sort=-id", "-r", "web"],
        ["tail", "-r", "web"], ["forward", "-p", "text", "1:a:1"], ["tail", "--utc"],
    ])
    func commandLine_isAccepted(arguments: [String]) throws {
        _ = try Tapline.parseAsRoot(arguments)
    }

    /// A list of values stands in the message once.
    @Test(arguments: [
        (
            ["show", "x", "--sort", "foo"],
            "id, start, duration, bytes, bytes_up, bytes_down, client, relay or upstream"
        ),
        (
            ["connections", "--sort", "foo"],
            "id, age, bytes, bytes_up, bytes_down, rate, rate_up, rate_down, waits, client, relay or upstream"
        ),
    ])
    func wrongSortKey_isAnsweredWithTheKeysOnOneLine(arguments: [String], keys: String) throws {
        let error = try #require(throws: (any Error).self) { try Tapline.parsed(arguments) }
        let command = arguments[0]
        #expect(
            Tapline.failure(error, arguments, columns: nil)?.message == """
                tapline: the value `foo` is invalid for `--sort <key>`: write \(keys)
                See 'tapline \(command) --help'.
                """)
        #expect(Tapline.helpMessage(for: Connections.self, columns: 80).contains("(values:") == false)
    }

    /// The reasons are listed, after those that were probably meant.
    @Test(arguments: [
        (
            "refused",
            "did you mean `connect_refused`, `destination_refused` or `tls_certificate_refused`? Write client_closed, "
        ),
        ("conect_refused", "did you mean `connect_refused`? Write client_closed, "),
        ("reset", "did you mean `client_reset` or `upstream_reset`? Write client_closed, "),
        // More than three contain it.
        ("timeout", "write client_closed, "), ("x", "write client_closed, "), ("", "write client_closed, "),
    ])
    func unknownReason_isAnsweredWithTheReasons(word: String, words: String) throws {
        let arguments = ["show", "x", "--reason", word]
        let error = try #require(throws: (any Error).self) { try Tapline.parsed(arguments) }
        let failure = try #require(Tapline.failure(error, arguments, columns: nil))
        #expect(failure.status == .usage)
        #expect(
            failure.message.hasPrefix("tapline: the value `\(word)` is invalid for `--reason <reason>`: \(words)"),
            "\(failure.message)")
        for reason in ["client_closed", "idle_timeout", "internal_error"] {
            #expect(failure.message.contains(reason))
        }
        #expect(failure.message.hasSuffix("\nSee 'tapline show --help'."))
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
            (["why", "x", "y"], "tapline why FILE ID"),
            (["show", "-", "--follow"], "standard input"), (["show", "x", "--connection", "-1"], "--connection"),
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
