import Foundation
import TestSupport
import Testing

/// A configuration that includes a folder of relay files, while they change.
@Suite(.needs("python3"))
struct IncludeReloadTests {
    /// A bench whose file includes the folder `conf.d` in its own folder, with `web` on the first address in
    /// `conf.d/web.yaml`.
    private func play(_ body: (ReloadBench, TaplineProcess, String) async throws -> Void) async throws {
        try await reloadScene { bench in
            let folder = "\(bench.folder)/conf.d"
            try Files.makeDirectory(folder)
            try Files.write("log: { format: json }\ninclude: conf.d\n", to: bench.path)
            try Files.write(relays(bench, [("web", bench.first)]), to: "\(folder)/web.yaml")
            let tapline = try await bench.run()
            try await body(bench, tapline, folder)
        }
    }

    private func relays(_ bench: ReloadBench, _ relays: [(name: String, address: String)]) -> String {
        "relays:\n"
            + relays.map { "  - { name: \($0.name), listen: '\($0.address)', upstream: '\(bench.upstream)' }\n" }
            .joined()
    }

    @Test func aFileThatComes_changesAndGoes_isInForce_andOpenConnectionsContinue() async throws {
        try await play { bench, tapline, folder in
            try await bench.begin(bench.first, "old")
            try Files.write(relays(bench, [("cache", bench.second)]), to: "\(folder)/cache.yaml")
            #expect(try await bench.reloaded(tapline, 2).contains("reloaded: added relay cache"))
            try await bench.converse(bench.second)
            try Files.move("\(folder)/cache.yaml", to: "\(folder)/cache.yaml.off")
            #expect(try await bench.reloaded(tapline, 3).contains("reloaded: removed relay cache"))
            try await bench.puppet.awaitRefusal(bench.second)
            try Files.move("\(folder)/cache.yaml.off", to: "\(folder)/other-name.yml")
            try await bench.reloaded(tapline, 4)
            try await bench.converse(bench.second)
            try Files.remove("\(folder)/other-name.yml")
            try await bench.reloaded(tapline, 5)
            try await bench.exchange("old")
            try await bench.end("old")
            #expect(try await tapline.stop().map(\.generation) == [1, 2, 4])
        }
    }

    @Test func aMistakeInAnIncludedFile_changesNothing_andIsReportedWithItsPosition() async throws {
        try await play { bench, tapline, folder in
            // In one step: a file that is seen while it is empty would be another mistake.
            try Files.replace("\(folder)/a.yaml", with: relays(bench, [("web", bench.second)]))
            let twice = try await tapline.program.errors.line(containing: "reload rejected")
            // The files are read in the order of their names: the later one names the earlier.
            #expect(
                twice.contains(
                    "\(folder)/web.yaml:2:13: `name`: duplicate relay name `web`, first used at \(folder)/a.yaml:2:13"))
            try await bench.converse(bench.first)
            try Files.write("admin: {}\n", to: "\(folder)/a.yaml")
            try await tapline.program.errors.line(containing: "\(folder)/a.yaml:1:1: `admin` belongs in \(bench.path)")
            try Files.write(relays(bench, [("cache", bench.second)]), to: "\(folder)/a.yaml")
            try await bench.reloaded(tapline, 2)
            try await bench.converse(bench.second)
            try await tapline.stop()
        }
    }

    @Test func anAddressInUse_isReportedWithItsPositionInTheIncludedFile() async throws {
        try await play { bench, tapline, folder in
            let taken = try await bench.puppet.listen("taken")
            try Files.replace("\(folder)/cache.yaml", with: relays(bench, [("cache", taken)]))
            let line = try await tapline.program.errors.line(containing: "reload rejected")
            #expect(line.contains("\(folder)/cache.yaml:2:28: ") && line.contains("in use"), "\(line)")
            try await bench.converse(bench.first)
            try await tapline.stop()
        }
    }

    @Test func theFolder_mayGoAndComeBack() async throws {
        try await play { bench, tapline, folder in
            try Files.move(folder, to: folder + ".off")
            try await tapline.program.errors.line(containing: "`include`: directory `\(folder)` does not exist")
            try await bench.converse(bench.first)
            try Files.move(folder + ".off", to: folder)
            try await tapline.program.errors.line(containing: "configuration unchanged")
            try Files.write(relays(bench, [("cache", bench.second)]), to: "\(folder)/cache.yaml")
            try await bench.reloaded(tapline, 2)
            try await tapline.stop()
        }
    }

    @Test func check_readsTheIncludedFilesToo() async throws {
        try await reloadScene { bench in
            let folder = "\(bench.folder)/conf.d"
            try Files.makeDirectory(folder)
            try Files.write("include: conf.d\n", to: bench.path)
            try Files.write(relays(bench, [("web", "127.0.0.1:8080")]), to: "\(folder)/web.yaml")
            let said = try await bench.scene.run(TaplineProcess.binary, "check", bench.path)
            #expect(said.hasPrefix("\(bench.path) and 1 included file: OK, 1 relay\n  web: 127.0.0.1:8080 → "))
            try Files.write("relays:\n  - nme: web\n", to: "\(folder)/a.yaml")
            let program = try bench.scene.start([TaplineProcess.binary, "check", bench.path])
            #expect(try await program.exit() == .exited(78))
            #expect(program.errors.all.first?.hasPrefix("\(folder)/a.yaml:2:5: unknown key `nme`") == true)
        }
    }
}
