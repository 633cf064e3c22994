import Foundation
import Testing

/// Random flows through one Tapline, with and without recording, during reloads: `Tests/Chaos`, whose README describes
/// the flows and the checks. `TAPLINE_SEED` repeats a failed run.
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
            // The run gives up before that and names the flow that was stuck.
            let status = try await run.exit(within: .seconds(480))
            #expect(status == .exited(0), Comment(rawValue: run.output.all.joined(separator: "\n")))
            #expect(run.output.all.last?.hasPrefix("Verdict: good: 2,000 flows") == true)
        }
    }
}
