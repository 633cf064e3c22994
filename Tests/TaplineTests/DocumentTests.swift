import ArgumentParser
import Glibc
import TestSupport
import Testing

@testable import tapline

/// README and `docs`.
@Suite struct DocumentTests {
    /// README and every document, by its path from the root.
    private static func documents() throws -> [String] {
        try ["README.md"]
            + ["docs", "docs/guide", "docs/reference", "docs/decisions"].flatMap {
                try Repository.files(in: $0, ending: ".md")
            }
    }

    /// The generated pages are what the help, the schemas and the sources say.
    @Test func reference_isWhatTheSourcesSay() async throws {
        try await TemporaryFolder.run { folder in
            let dump = "\(folder)/help.json"
            try Files.write(Tapline._dumpHelp(), to: dump)
            let program = try #require(
                popen("python3 -B '\(Repository.root)/.ci/reference' \(dump) --check 2>&1", "re"))
            var output: [UInt8] = []
            while case let byte = fgetc(program), byte != EOF { output.append(UInt8(truncatingIfNeeded: byte)) }
            let status = pclose(program)
            #expect(status == 0, "\(String(decoding: output, as: UTF8.self))")
        }
    }

    @Test func readme_fitsOnThreeScreens() throws {
        let lines = try Repository.text("README.md").split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count <= 151)
    }

    /// A title, and then a sentence that says which question the document answers.
    @Test func documents_beginWithTheirQuestion() throws {
        for path in try Self.documents() where path != "README.md" {
            let lines = try Repository.text(path).split(separator: "\n").filter { !$0.hasPrefix("<!--") }
            #expect(lines.first?.hasPrefix("# ") == true, "\(path)")
            let first = lines.dropFirst().first ?? ""
            let verbs = ["explains", "lists", "shows"]
            #expect(verbs.contains { first.hasPrefix("This page \($0) ") }, "\(path): \(first)")
        }
    }

    /// Every link leads to a file, and to a heading of it.
    @Test func links_leadToFilesAndHeadings() throws {
        for path in try Self.documents() {
            for target in Self.links(in: try Repository.text(path)) {
                let parts = target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                let file = parts[0].isEmpty ? path : Self.resolve(String(parts[0]), from: path)
                let found = access("\(Repository.root)/\(file)", F_OK) == 0
                #expect(found, "\(path): \(target)")
                guard found, parts.count == 2 else { continue }
                let anchors = Self.anchors(in: try Repository.text(file))
                #expect(anchors.contains(String(parts[1])), "\(path): \(target)")
            }
        }
    }

    @Test func tableOfContents_hasEveryDocument() throws {
        let linked = Set(
            Self.links(in: try Repository.text("docs/README.md")).map { Self.resolve($0, from: "docs/README.md") })
        for path in try Self.documents() where !path.hasSuffix("README.md") {
            #expect(linked.contains(path), "\(path)")
        }
    }

    /// The targets of Markdown links outside of blocks of code, without those on the web.
    private static func links(in text: String) -> [String] {
        var isCode = false
        var found: [String] = []
        for line in text.split(separator: "\n") {
            if line.hasPrefix("```") { isCode.toggle() }
            guard !isCode else { continue }
            for piece in line.split(separator: "](", omittingEmptySubsequences: false).dropFirst() {
                let target = String(piece.prefix { $0 != ")" })
                if !target.hasPrefix("http") { found.append(target) }
            }
        }
        return found
    }

    /// The path from the root of a link in a document.
    private static func resolve(_ target: String, from document: String) -> String {
        var parts = document.split(separator: "/").dropLast().map(String.init)
        for part in target.split(separator: "#")[0].split(separator: "/") {
            if part == ".." { parts.removeLast() } else if part != "." { parts.append(String(part)) }
        }
        return parts.joined(separator: "/")
    }

    /// The anchors of the headings, as GitHub makes them.
    private static func anchors(in text: String) -> Set<String> {
        let titles = text.split(separator: "\n").filter { $0.hasPrefix("#") }
        return Set(
            titles.map { title in
                let words = title.drop { $0 == "#" }.drop { $0 == " " }.lowercased()
                let kept = words.filter { $0.isLetter || $0.isNumber || $0 == " " || $0 == "-" || $0 == "_" }
                return kept.replacing(" ", with: "-")
            })
    }
}
