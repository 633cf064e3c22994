import Testing

@testable import Daemon

@Suite struct WatchedPathTests {
    /// The entries of a file system; all others are missing.
    private typealias System = [String: WatchedPath.Entry]

    private func entries(_ path: String, _ system: System) -> [String: Set<String>] {
        WatchedPath(path) { system[$0] ?? .missing }.entries
    }

    private static let configMap: System = [
        "/etc": .other, "/etc/t": .other, "/etc/t/a.yaml": .link("..data/a.yaml"), "/etc/t/..data": .link("..2026"),
        "/etc/t/..2026": .other, "/etc/t/..2026/a.yaml": .other,
    ]

    @Test func aPlainFile_isWatchedInItsFolder() {
        let system: System = ["/etc": .other, "/etc/t": .other, "/etc/t/a.yaml": .other]
        #expect(entries("/etc/t/a.yaml", system) == ["/etc/t": ["a.yaml", "..data"]])
        #expect(entries("//etc/./t//a.yaml", system) == ["/etc/t": ["a.yaml", "..data"]])
        #expect(entries("/a.yaml", ["/a.yaml": .other]) == ["/": ["a.yaml", "..data"]])
    }

    @Test func aConfigMap_isWatchedAtItsLinksAndAtItsFile() {
        #expect(
            entries("/etc/t/a.yaml", Self.configMap) == [
                "/etc/t": ["a.yaml", "..data"], "/etc/t/..2026": ["a.yaml"],
            ])
    }

    @Test func aLinkElsewhere_isWatchedAtBothEnds() {
        let system: System = [
            "/etc": .other, "/etc/a.yaml": .link("/srv/conf/b.yaml"), "/srv": .other, "/srv/conf": .other,
            "/srv/conf/b.yaml": .other,
        ]
        #expect(entries("/etc/a.yaml", system) == ["/etc": ["a.yaml", "..data"], "/srv/conf": ["b.yaml"]])
    }

    @Test func linkedFolders_areWatchedWhereTheLinksStand() {
        let system: System = [
            "/conf": .link("/releases/current"), "/releases": .other, "/releases/current": .link("5/etc"),
            "/releases/5": .other, "/releases/5/etc": .other, "/releases/5/etc/a.yaml": .other,
        ]
        #expect(
            entries("/conf/a.yaml", system) == [
                "/": ["conf"], "/releases": ["current"], "/releases/5/etc": ["a.yaml", "..data"],
            ])
    }

    @Test func stepsUp_areTakenFromWhereALinkLeads() {
        let system: System = [
            "/conf": .link("/srv/deep/er"), "/srv": .other, "/srv/deep": .other, "/srv/deep/er": .other,
            "/srv/deep/a.yaml": .other,
        ]
        #expect(entries("/conf/../a.yaml", system) == ["/": ["conf"], "/srv/deep": ["a.yaml", "..data"]])
        #expect(entries("/../a.yaml", ["/a.yaml": .other]) == ["/": ["a.yaml", "..data"]])
    }

    @Test func whatIsMissing_isWatchedForWhereItWouldAppear() {
        #expect(entries("/etc/t/a.yaml", ["/etc": .other]) == ["/etc": ["t"]])
        #expect(entries("/etc/t/a.yaml", [:]) == ["/": ["etc"]])
        #expect(
            entries("/etc/t/a.yaml", ["/etc": .other, "/etc/t": .other]) == ["/etc/t": ["a.yaml", "..data"]])
        var dangling = Self.configMap
        dangling["/etc/t/..2026"] = nil
        #expect(entries("/etc/t/a.yaml", dangling) == ["/etc/t": ["a.yaml", "..data", "..2026"]])
    }

    @Test func linksInACircle_end() {
        #expect(entries("/a", ["/a": .link("b"), "/b": .link("a")]) == ["/": ["a", "b", "..data"]])
    }
}
