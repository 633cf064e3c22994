import ArgumentParser
import Testing

@testable import tapline

/// What a shell's completion takes from a command line, and what it offers.
struct CompletionTests {
    @Test(
        arguments: [
            // the line, the place that is completed, whether the shell is bash, the words of the command
            (["tapline", "kill", ""], 2, false, ["kill", "1"]),
            (["tapline", "kill", "1", "--admin", "h:1"], 2, false, ["kill", "1", "--admin", "h:1"]),
            (["tapline", "kill", "-a", "h", ":", "1", ""], 6, true, ["kill", "-a", "h:1", "1"]),
            (["tapline", "kill", "-a", "h", ":", "1", ""], 6, false, ["kill", "-a", "h", ":", "1", "1"]),
            (
                ["tapline", "kill", "--admin", "=", "[", "::", "1]", ":", "1", "7"], 9, true,
                ["kill", "--admin=[::1]:1", "1"]
            ),
            (["tapline", "kill", "-a", "unix", ":@", "x", ""], 6, true, ["kill", "-a", "unix:@x", "1"]),
            (["tapline", "tail", "--relay", "=", "we"], 4, true, ["tail", "--relay=1"]),
            (["tapline", "kill", "--token-file", "~/t", ""], 4, false, ["kill", "--token-file", "/home/t", "1"]),
            (["tapline", "why", "'a b.pcapng'", ""], 3, false, ["why", "a b.pcapng", "1"]),
            (["tapline", "why", "a\\ b\"c\\\"\"", ""], 3, false, ["why", "a bc\"", "1"]),
            (["tapline", "why", "'$x'", ""], 3, false, ["why", "$x", "1"]),
        ] as [([String], Int, Bool, [String])])
    func words_areThoseOfTheCommand(line: [String], index: Int, isBash: Bool, words: [String]) {
        #expect(CompletedLine(line, completing: index, splits: isBash, home: "/home")?.words == words)
    }

    /// Only the shell knows what is meant, so that nothing may be asked of it.
    @Test(arguments: ["$HOST:1", "\"$HOST:1\"", "`host`", "$(host)", "~other/x", "<(x)", "{a,b}", "'open", "end\\"])
    func expansion_isNotGuessed(word: String) {
        #expect(CompletedLine(["tapline", "kill", "-a", word, ""], completing: 4, splits: false, home: "/home") == nil)
        // The word that is being completed may be anything.
        #expect(CompletedLine(["tapline", "kill", word], completing: 2, splits: false, home: "/home") != nil)
    }

    /// bash expands candidates: `compgen -W '$(command)'` runs the command.
    @Test func candidates_areNamesOnly() {
        let names = ["web", "a.b-c_1", "7", "", "$(touch x)", "`x`", "a b", "-a", "a;b", "a\nb", "é", "*"]
        #expect(Candidates.offered(names) == ["web", "a.b-c_1", "7"])
    }

    @Test(arguments: [CompletionShell.bash, .zsh, .fish])
    func script_offersRecordingsInAdditionToIDs(shell: CompletionShell) {
        let plain = Tapline.completionScript(for: shell)
        let lines = CompletionScript.text(for: shell).split(separator: "\n")
        let added = Set(lines).subtracting(plain.split(separator: "\n")).filter { !$0.contains("auto") }
        // In bash both commands get the same line.
        #expect(added.count == (shell == .bash ? 1 : 2))
        for line in added { #expect(line.contains("pcapng") && line.contains("pcap") && line.contains("cap")) }
    }

    @Test(arguments: [CompletionShell.bash, .zsh, .fish])
    func script_offersAutoInAdditionToFiles(shell: CompletionShell) throws {
        let plain = Tapline.completionScript(for: shell).split(separator: "\n")
        let lines = CompletionScript.text(for: shell).split(separator: "\n")
        if shell == .bash {
            // Other options have the same line.
            let option = try #require(lines.firstIndex { $0.contains("'--tls-cert')") })
            #expect(lines[option + 1].hasSuffix(" -f") && lines[option + 2].hasSuffix(" -W 'auto'"))
        } else {
            let added = Set(lines).subtracting(plain).filter { $0.contains("auto") }
            #expect(added.count == 1)
            for line in added { #expect(line.contains("tls-cert")) }
        }
    }

    @Test func script_isMadeForAKnownShellOnly() {
        #expect(CompletionScript.shell(of: ["--generate-completion-script", "zsh"]) == .zsh)
        #expect(CompletionScript.shell(of: ["--generate-completion-script", "csh"]) == nil)
        #expect(CompletionScript.shell(of: ["--help"]) == nil)
    }
}
