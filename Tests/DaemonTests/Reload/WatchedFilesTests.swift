import TestSupport
import Testing

@testable import Configuration
@testable import Daemon

@Suite struct WatchedFilesTests {
    private typealias System = [String: WatchedPath.Entry]

    private func watched(_ include: String, _ files: [String], _ system: System) throws -> WatchedFiles {
        let inclusion = try Inclusion(parsing: include, in: "t.yaml", directory: "/etc/t")
        return WatchedFiles("/etc/t/t.yaml", including: IncludedPaths(inclusion: inclusion, files: files)) {
            system[$0] ?? .missing
        }
    }

    private static let plain: System = [
        "/etc": .other, "/etc/t": .other, "/etc/t/t.yaml": .other, "/etc/t/conf.d": .other,
        "/etc/t/conf.d/a.yaml": .other,
    ]

    @Test func namesThatCount_matter_whetherThereAreFilesOrNot() throws {
        for files in [[], ["/etc/t/conf.d/a.yaml"]] {
            let watched = try watched("conf.d", files, Self.plain)
            for name in ["a.yaml", "new.yaml", "new.yml", "new.json", "..data"] {
                #expect(watched.matters(name, in: "/etc/t/conf.d"), "\(name)")
            }
            for name in ["a.yaml~", ".a.yaml.swp", "4913", "access.log", "..data_tmp"] {
                #expect(!watched.matters(name, in: "/etc/t/conf.d"), "\(name)")
            }
            #expect(watched.matters("t.yaml", in: "/etc/t") && !watched.matters("b.yaml", in: "/etc/t"))
        }
    }

    @Test func certificates_areWatched_withTheFilesThatTheyAreLinksTo() {
        let system: System = [
            "/etc": .other, "/etc/t": .other, "/etc/t/t.yaml": .other, "/tls": .other,
            "/tls/server.pem": .link("live/1.pem"),
            "/tls/live": .other, "/tls/live/1.pem": .other,
        ]
        let watched = WatchedFiles("/etc/t/t.yaml", including: nil, certificates: ["/tls/server.pem"]) {
            system[$0] ?? .missing
        }
        #expect(watched.matters("server.pem", in: "/tls") && watched.matters("1.pem", in: "/tls/live"))
        #expect(!watched.matters("other.pem", in: "/tls"))
    }

    @Test func aPattern_decidesInItsFolderOnly() throws {
        let watched = try watched("conf.d/w*.yaml", [], Self.plain)
        #expect(watched.matters("web.yaml", in: "/etc/t/conf.d") && !watched.matters("a.yaml", in: "/etc/t/conf.d"))
        #expect(!watched.matters("web.yaml", in: "/etc/t"))
    }

    @Test func linkedFilesAndFolders_areWatchedAtBothEnds() throws {
        let system: System = Self.plain.merging([
            "/etc/t/conf.d": .link("/srv/relays"), "/srv": .other, "/srv/relays": .other,
            "/srv/relays/a.yaml": .link("../off/a.yaml"), "/srv/off": .other, "/srv/off/a.yaml": .other,
        ]) { $1 }
        let watched = try watched("conf.d", ["/etc/t/conf.d/a.yaml"], system)
        #expect(watched.matters("conf.d", in: "/etc/t"))
        #expect(watched.matters("new.yaml", in: "/srv/relays") && watched.matters("a.yaml", in: "/srv/off"))
        #expect(!watched.matters("new.yaml", in: "/srv/off"))
    }

    @Test func aFolderThatIsMissing_isWaitedFor() throws {
        let watched = try watched("conf.d", [], ["/etc": .other, "/etc/t": .other, "/etc/t/t.yaml": .other])
        #expect(watched.matters("conf.d", in: "/etc/t") && watched.entries["/etc/t/conf.d"] == nil)
    }
}
