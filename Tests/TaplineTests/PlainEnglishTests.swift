import TestSupport
import Testing

/// Words that make a text read as translated, in sources, tests, documents, configurations and the page.
@Suite struct PlainEnglishTests {
    /// Text that may contain one of the words: in a file or in all files of a folder, in lines with `text`.
    private struct Exception {
        let path: String
        let text: String
        let reason: String
    }

    private static let exceptions = [
        Exception(path: "Tests/TaplineTests/PlainEnglish.swift", text: "", reason: "the list of the words"),
        Exception(path: "Tests/TaplineTests/PlainEnglishTests.swift", text: "", reason: "examples of the words"),
        Exception(path: "Tests", text: "esideOthers", reason: "the name of a test trait, without the habit's meaning"),
    ]

    /// Files that are not text of this project: inputs that the fuzzer found.
    private static let foreign = "Tests/Fuzz/corpus/"

    /// To add a word, rewrite the places that the failure lists.
    @Test func repository_hasNoneOfTheWords() throws {
        var isNeeded = Self.exceptions.map { _ in false }
        var count = 0
        for root in ["Sources", "Tests", "docs", "config", ".ci"] {
            for path in try Repository.tree(root) where !path.hasPrefix(Self.foreign) {
                count += 1
                try check(path, &isNeeded)
            }
        }
        for path in ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "Makefile", "Package.swift"] {
            try check(path, &isNeeded)
        }
        #expect(count > 1000, "most files were not read")
        for (exception, isNeeded) in zip(Self.exceptions, isNeeded) {
            #expect(isNeeded, "the exception for \(exception.path) is no longer needed: remove it")
        }
    }

    private func check(_ path: String, _ isNeeded: inout [Bool]) throws {
        let bytes = try Files.bytes(of: "\(Repository.root)/\(path)")
        // Pictures and compressed files.
        guard !bytes.prefix(1024).contains(0) else { return }
        let found = PlainEnglish.find(in: bytes)
        guard !found.isEmpty else { return }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        for (line, phrase) in found {
            let text = lines[line - 1]
            let index = Self.exceptions.firstIndex {
                (path == $0.path || path.hasPrefix($0.path + "/")) && ($0.text.isEmpty || text.contains($0.text))
            }
            if let index { isNeeded[index] = true } else { Issue.record("\(path):\(line): \(phrase)") }
        }
    }

    @Test(
        arguments: [
            ("Whoever asks", [(1, "whoever")]), ("for so many\n/// bytes", [(1, "so many")]),
            ("\"for so \"\n    + \"many bytes\"", [(1, "so many")]), ("func a_refusesNobody()", [(1, "nobody")]),
            ("ofANewRelay, isMadeAnew", [(1, "anew")]),
            ("# x\nit is told\nwritten anew", [(2, "is told"), (3, "anew")]), ("LETS GO OF it", [(1, "lets go of")]),
            ("it lets\n// go of", [(1, "lets go of")]),
            ("no body. So, many. retold, besides, is_to, late of", []), ("", []), ("so", []),
        ] as [(String, [(Int, String)])])
    func word_isFound_overLinesAndInNames(text: String, expected: [(Int, String)]) {
        let found = PlainEnglish.find(in: Array(text.utf8))
        #expect(found.map(\.line) == expected.map(\.0) && found.map(\.phrase) == expected.map(\.1), "\(found)")
    }
}
