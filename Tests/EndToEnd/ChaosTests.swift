import Foundation
import Testing

/// Flows by chance through one running tapline, with and without recording, while it is reloaded: `Tests/Chaos`, whose
/// README says what they do and what is held against what. `TAPLINE_SEED` plays a failed run again.
struct ChaosTests {
    private static let seed =
        ProcessInfo.processInfo.environment["TAPLINE_SEED"].flatMap(UInt32.init) ?? .random(in: 0...UInt32.max)

    @Test(.needs("python3", "gcc"))
    func twoThousandFlowsByChance_everyByteEndAndRecordIsRight() async throws {
        try await scene(.heavy) { scene in
            let words = [
                Programs.path("python3") ?? "python3", "-B", "\(Scene.peers)/../../Chaos/run", TaplineProcess.binary,
                "--flows", "2000", "--seed", "\(Self.seed)",
            ]
            let run = try scene.start(words)
            run.finishInput()
            // It gives up by itself before that, and says which flow was stuck.
            let status = try await run.exit(within: .seconds(480))
            #expect(status == .exited(0), Comment(rawValue: run.output.all.joined(separator: "\n")))
            #expect(run.output.all.last?.hasPrefix("Verdict: good: 2,000 flows") == true)
        }
    }
}
