import Glibc
import Sockets
import TestSupport
import Testing

@testable import Configuration

/// `include`: a folder of files that are read as one configuration with the main file.
@Suite struct IncludeTests {
    /// A folder with a main file `t.yaml` and others, by their relative paths; a path that ends in a slash is a folder.
    private struct Bench {
        let folder: String
        let files: [String: String]
        var environment: [String: String] = [:]

        /// Writes the files in sorted order, so that folders come before their contents.
        func write() throws {
            for (path, text) in files.sorted(by: { $0.key < $1.key }) {
                if path.hasSuffix("/") {
                    try Files.makeDirectory("\(folder)/\(path)")
                } else {
                    try Files.write(text, to: "\(folder)/\(path)")
                }
            }
        }

        func load() throws(ConfigurationErrors) -> Configuration {
            try Configuration.load(path: "\(folder)/t.yaml", environment: environment)
        }

        /// The mistakes, without the folder in their paths.
        func mistakes() -> [String] {
            do {
                _ = try load()
                return []
            } catch {
                return error.problems.map { $0.description.replacing(folder + "/", with: "") }
            }
        }
    }

    private func bench(
        _ main: String, _ files: [String: String] = ["conf.d/": ""], environment: [String: String] = [:],
        _ body: (Bench) throws -> Void
    ) async throws {
        try await TemporaryFolder.run { folder in
            let all = files.merging(["t.yaml": main]) { $1 }
            let bench = Bench(folder: folder, files: all, environment: environment)
            try bench.write()
            try body(bench)
        }
    }

    private func relay(_ name: String, _ listen: String, _ upstream: String = "a:1") -> String {
        "  - name: \(name)\n    listen: \(listen)\n    upstream: \(upstream)\n"
    }

    private func file(_ relays: String...) -> String {
        "relays:\n" + relays.joined()
    }

    // MARK: What is included

    @Test(arguments: ["conf.d", "./conf.d/", "conf.d/*", "conf.d/*.y*ml", "${FOLDER:-conf.d}"])
    func relays_areThoseOfTheFile_thenThoseOfTheFolderByName(_ include: String) async throws {
        let files = [
            "conf.d/": "", "conf.d/b.yaml": file(relay("b", "3")),
            "conf.d/a.yml": file(relay("a", "2"), relay("c", "4")),
            "conf.d/Z.yaml": file(relay("z", "5")),
        ]
        try await bench("include: \(include)\nrelays:\n" + relay("m", "1"), files) { bench throws in
            #expect(try bench.load().relays.map(\.name) == ["m", "z", "a", "c", "b"])
        }
    }

    @Test func files_areChosenByTheirEndings_orByThePattern() async throws {
        let files = [
            "conf.d/": "", "conf.d/a.yaml": file(relay("a", "1")), "conf.d/b.json": "{\"relays\": []}",
            "conf.d/.c.yaml": "not looked at: [", "conf.d/d.yaml~": "[", "conf.d/README": "[", "conf.d/sub/": "",
            "conf.d/sub/e.yaml": "[", "conf.d/f.yml.off": "[",
        ]
        try await bench("include: conf.d\n", files) { bench throws in
            #expect(try bench.load().relays.map(\.name) == ["a"])
            try Files.write("include: conf.d/[a-b].yaml\n", to: "\(bench.folder)/t.yaml")
            #expect(try bench.load().relays.map(\.name) == ["a"])
            try Files.write("include: conf.d/?.json\n" + file(relay("m", "1")), to: "\(bench.folder)/t.yaml")
            #expect(try bench.load().relays.map(\.name) == ["m"])
        }
    }

    @Test func anEmptyFolder_isNoMistake_whereThereIsARelay() async throws {
        try await bench("include: conf.d\n" + file(relay("m", "1"))) { bench throws in
            #expect(try bench.load().relays.map(\.name) == ["m"])
        }
        try await bench("include: conf.d\nrelays: []\n") { bench throws in
            #expect(
                bench.mistakes() == [
                    "t.yaml:1:10: `include`: no relays are configured, neither here "
                        + "nor in the files `*.yaml`, `*.yml`, `*.json` of `conf.d`"
                ])
        }
    }

    @Test func relativePaths_beginAtTheMainFile() async throws {
        let text = "relays:\n  - { name: a, listen: unix:a.sock, upstream: unix:run/up.sock, record: {} }\n"
        try await bench("include: conf.d\n", ["conf.d/": "", "conf.d/a.yaml": text]) { bench throws in
            let relay = try bench.load().relays[0]
            #expect(relay.listen == [.unix(path: "\(bench.folder)/a.sock", mode: 0o660)])
            #expect(relay.upstream == .address(.unix(path: "\(bench.folder)/run/up.sock")))
            #expect(relay.record?.directory == "\(bench.folder)/recordings")
        }
    }

    @Test func theEnvironment_isPutIntoIncludedFiles() async throws {
        let files = ["conf.d/": "", "conf.d/a.yaml": file(relay("a", "${PORT}"))]
        try await bench("include: ${WHERE}\n", files, environment: ["WHERE": "conf.d", "PORT": "81"]) { bench throws in
            #expect(try bench.load().relays[0].listen == [.loopback(port: 81)])
        }
    }

    // MARK: Places

    @Test func mistakes_areReportedWithTheirFile_thoseOfTheMainFileFirst() async throws {
        let files = [
            "conf.d/": "", "conf.d/b.yaml": file(relay("b", "0x50")), "conf.d/a.yaml": "relays:\n  - nme: a\n",
            "conf.d/c.yaml": "relays: [\n",
        ]
        try await bench("include: conf.d\nworkers: 0\n", files) { bench throws in
            let places = bench.mistakes().map { $0.prefix { $0 != " " } }
            #expect(
                places == [
                    "t.yaml:2:10:", "conf.d/a.yaml:2:5:", "conf.d/a.yaml:2:5:", "conf.d/a.yaml:2:5:",
                    "conf.d/b.yaml:3:13:", "conf.d/c.yaml:2:1:",
                ])
        }
    }

    @Test func names_thatRepeatAcrossFiles_areReportedWithBothPositions() async throws {
        let files = [
            "conf.d/": "", "conf.d/a.yaml": file(relay("web", "2")),
            "conf.d/b.yaml": file(relay("m", "3"), relay("web", "4")),
        ]
        try await bench("include: conf.d\nrelays:\n" + relay("m", "1"), files) { bench throws in
            let folder = bench.folder
            let mistakes = bench.mistakes()
            #expect(
                mistakes == [
                    "conf.d/b.yaml:2:11: `name`: duplicate relay name `m`, first used at t.yaml:3:11",
                    "conf.d/b.yaml:5:11: `name`: duplicate relay name `web`, first used at conf.d/a.yaml:2:11",
                ], "in \(folder)")
        }
    }

    @Test func listenersAndLoops_acrossFiles_areReportedWithBothPositions() async throws {
        let files = [
            "conf.d/": "", "conf.d/a.yaml": file(relay("a", "1", "localhost:9")),
            "conf.d/b.yaml": file(relay("b", "'*:1'")),
        ]
        try await bench("include: conf.d\nrelays:\n" + relay("m", "9"), files) { bench throws in
            #expect(
                bench.mistakes() == [
                    "conf.d/a.yaml:4:15: `upstream`: `localhost:9` is a loop: relay "
                        + "`m` at t.yaml:4:13 listens on `127.0.0.1:9`",
                    "conf.d/b.yaml:3:13: `listen`: port 1 on every interface is already used by relay `a` "
                        + "(conf.d/a.yaml:3:13), which listens on 127.0.0.1:1",
                ])
        }
    }

    @Test func places_ofListeners_areThoseOfTheirFile() async throws {
        let files = ["conf.d/": "", "conf.d/a.yaml": file(relay("a", "8080"))]
        try await bench("include: conf.d\n", files) { bench throws in
            let text = try ConfigurationText(reading: "\(bench.folder)/t.yaml", environment: [:])
            let locations = try Configuration.parse(text, environment: [:]).locations
            let place = locations.listener(.loopback(port: 8080), of: "a")
            #expect(place?.path == "\(bench.folder)/conf.d/a.yaml" && place?.mark == Mark(line: 3, column: 13))
        }
    }

    @Test func mistakes_areBoundedInAllFilesTogether() async throws {
        let many = (1...300).map { "k\($0): x\n" }.joined() + file()
        try await bench(
            "include: conf.d\n", ["conf.d/": "", "conf.d/a.yaml": many, "conf.d/b.yaml": many]
        ) { bench throws in
            let mistakes = bench.mistakes()
            #expect(mistakes.count == Problems.most + 1)
            #expect(mistakes.last?.contains("… and 502 more errors") == true)
        }
    }

    // MARK: What is refused

    @Test(arguments: [
        ("include: none\n", "t.yaml:1:10: `include`: directory `none` does not exist; create it (it may be empty)"),
        ("include: [conf.d]\n", "t.yaml:1:10: `include`: must be one value, not a list"),
        ("include:\n", "t.yaml:1:9: `include`: has no value"),
        (
            "include: con*/a.yaml\n",
            "t.yaml:1:10: `include`: `con*/a.yaml`: only the last part may be a pattern; name one directory"
        ),
        (
            "include: t.yaml\n",
            "t.yaml:1:10: `include`: `t.yaml` is not a directory; write the directory of "
                + "the files, or a pattern such as conf.d/*.yaml"
        ),
        (
            "include: .\n",
            "t.yaml:1:10: `include`: `.` matches this file itself; put the included files into a separate directory"
        ),
        (
            "include: '*.yaml'\n",
            "t.yaml:1:10: `include`: `*.yaml` matches this file itself; put the included files into a separate directory"
        ),
    ])
    func include_isRefused(_ main: String, _ message: String) async throws {
        try await bench(main + file(relay("m", "1"))) { bench throws in #expect(bench.mistakes() == [message]) }
    }

    @Test(arguments: [
        ("", ":1:1: the file is empty; an included file needs `relays`, or `relays: []` for none"),
        ("- name: a\n", ":1:1: an included file is not a list; write `relays:` above the list"),
        (
            "include: more.d\nrelays: []\n",
            ":1:1: an included file cannot include others; only t.yaml may have `include`"
        ),
        ("admin: {}\nrelays: []\n", ":1:1: `admin` belongs in t.yaml; an included file has `relays` only"),
        ("workers: 2\n", ":1:1: `workers` belongs in t.yaml; an included file has `relays` only"),
        ("relay: []\n", ":1:1: unknown key `relay`; did you mean `relays`?"),
        ("just text\n", ":1:1: an included file must be a mapping with the key `relays`"),
        ("relays:\n", ":1:8: `relays`: at least one relay is needed"),
        ("relays: []\n---\nrelays: []\n", ":2:1: a second document begins here; a configuration is one document"),
        ("\u{FEFF}---\nrelay: []\n", ":2:1: unknown key `relay`; did you mean `relays`?"),
        ("\u{FEFF}relay: []\n", ":1:1: unknown key `relay`; did you mean `relays`?"),
    ])
    func anIncludedFile_isRefused(_ text: String, _ message: String) async throws {
        try await bench(
            "include: conf.d\n" + file(relay("m", "1")), ["conf.d/": "", "conf.d/a.yaml": text]
        ) { bench throws in
            #expect(bench.mistakes() == ["conf.d/a.yaml" + message])
        }
    }

    @Test func specialFile_isRefused_andNothingWaits() async throws {
        try await bench("include: conf.d\n" + file(relay("m", "1"))) { bench throws in
            let folder = "\(bench.folder)/conf.d"
            #expect(mkfifo("\(folder)/a.yaml", 0o600) == 0)
            try Files.makeDirectory("\(folder)/b.yaml")
            try Files.link("\(folder)/c.yaml", to: "nowhere")
            #expect(
                bench.mistakes() == [
                    "conf.d/a.yaml: is not a regular file, so it cannot be read again",
                    "conf.d/b.yaml: cannot be read: Is a directory",
                    "conf.d/c.yaml: cannot be read: No such file or directory",
                ])
        }
    }

    @Test func sizeAndNumber_areBounded() async throws {
        try await bench("include: conf.d\n" + file(relay("m", "1"))) { bench throws in
            let folder = "\(bench.folder)/conf.d"
            let comment = String(repeating: "# comment\n", count: 104_000)
            for number in 1...5 { try Files.write(comment + "relays: []\n", to: "\(folder)/\(number).yaml") }
            #expect(bench.mistakes() == ["t.yaml:1:10: `include`: the files are larger than 4MiB in total"])
            try Files.write(comment + comment, to: "\(folder)/0.yaml")
            #expect(
                bench.mistakes() == [
                    "t.yaml:1:10: `include`: the files are larger than 4MiB in total",
                    "conf.d/0.yaml: larger than 1MiB, the limit for a configuration",
                ])
            for number in 0...IncludedFiles.mostFiles {
                try Files.write("relays: []\n", to: "\(folder)/\(number).yaml")
            }
            #expect(
                bench.mistakes() == [
                    "t.yaml:1:10: `include`: `conf.d` has more than 1000 files to include"
                ])
        }
    }

    @Test func aNameWithControlCharacters_isShownWithoutThem() async throws {
        try await bench(
            "include: conf.d\n" + file(relay("m", "1")), ["conf.d/": "", "conf.d/a\u{1B}[2J\nb.yaml": "[\n"]
        ) { bench throws in
            let mistake = bench.mistakes().first ?? ""
            #expect(mistake.hasPrefix("conf.d/a\\u{1B}[2J\\nb.yaml:2:1: ") && !mistake.contains("\n"), "\(mistake)")
        }
    }

    @Test func aTextThatIsNoFile_includesNothing() {
        #expect(
            mistakes("include: conf.d\n") == [
                "1:10: `include`: only a configuration in a file can include files"
            ])
    }

    // MARK: Comparing

    @Test func texts_areEqual_asLongAsNothingNewIsToBeRead() async throws {
        let files = ["conf.d/": "", "conf.d/a.yaml": file(relay("a", "1"))]
        try await bench("include: conf.d\n", files) { bench throws in
            func text() throws -> ConfigurationText {
                try ConfigurationText(reading: "\(bench.folder)/t.yaml", environment: [:])
            }
            let first = try text()
            try Files.write("x", to: "\(bench.folder)/conf.d/notes.txt")
            try Files.replace("\(bench.folder)/conf.d/a.yaml", with: file(relay("a", "1")))
            #expect(try text() == first)
            try Files.replace("\(bench.folder)/conf.d/a.yaml", with: file(relay("a", "2")))
            let changed = try text()
            #expect(changed != first)
            try Files.move("\(bench.folder)/conf.d/a.yaml", to: "\(bench.folder)/conf.d/b.yaml")
            #expect(try text() != changed)
            try Files.remove("\(bench.folder)/conf.d/b.yaml")
            let empty = try text()
            try Files.remove("\(bench.folder)/conf.d/notes.txt")
            #expect(try text() == empty)
            try Files.remove("\(bench.folder)/conf.d")
            #expect(try text() != empty)
            #expect(try text() == text())
        }
    }
}
