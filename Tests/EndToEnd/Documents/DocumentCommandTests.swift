import TestSupport
import Testing

/// Every command of README and `docs/guide` works as written: `Tests/Documents/run`.
struct DocumentCommandTests {
    @Test(.needs("python3", "curl", "redis-server", "ip", "ss", "unshare"), .needsNetworkNamespace)
    func commandsOfReadmeAndGuide_workAsWritten() async throws {
        try await scene(.heavy) { scene in
            let run = try scene.start([
                Programs.path("python3") ?? "python3", "-B", "\(Repository.root)/Tests/Documents/run",
                TaplineProcess.binary,
            ])
            run.finishInput()
            let status = try await run.exit(within: .seconds(480))
            let lines = run.output.all + run.errors.all
            #expect(status == .exited(0), Comment(rawValue: lines.joined(separator: "\n")))
            #expect(run.output.all.contains { $0.hasPrefix("documents: README.md: ") && $0.hasSuffix(" good") })
        }
    }
}
