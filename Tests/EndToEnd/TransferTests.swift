import Foundation
import Testing

/// Transfers drawn from a seed where `ChaosTests` does not come: half-closes in every order, slow readers, tiny and huge
/// writes. Every byte is hashed at both ends, and the counters equal what was sent.
struct TransferTests {
    /// `TAPLINE_SEED` plays a failed run again.
    private static let seed =
        ProcessInfo.processInfo.environment["TAPLINE_SEED"] ?? "\(UInt32.random(in: 0...UInt32.max))"

    /// Shown traffic takes another way, by copy; and text shows every byte of it.
    @Test(.needs("python3")) func randomisedTransfers_thatAreShown_allArriveWhole() async throws {
        try await scene(.heavy) { scene in
            let options = ["--count", "80", "--most", "200000", "--seed", Self.seed]
            let transfers = try Transfers(in: scene, options)
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try await scene.listening(transfers.program))", options: ["--print", "text"])
            try await transfers.play(through: tapline, count: 80, seed: Self.seed)
        }
    }

    /// Pipes run out for an ordinary user: somebody else of the same user holds nearly as many as the kernel grants in
    /// full (1,024, pipe(7)), or more, so that the relay gets few and then small ones, or small ones alone, and copies.
    @Test(.needs("python3", "setpriv"), .needsRoot, arguments: [950, 1100])
    func ordinaryUser_whosePipesRunOut_losesNothing(held: Int) async throws {
        try await scene(.heavy) { scene in
            let puppet = try scene.ordinaryPuppet()
            #expect(try await puppet.holdPipes(held) == held)

            let options = [
                "--count", "120", "--at-once", "120", "--least", "1000000", "--most", "3000000", "--seed", Self.seed,
            ]
            let transfers = try Transfers(in: scene, options)
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try await scene.listening(transfers.program))", before: Scene.ordinaryUser,
                binary: try scene.publicBinary())
            try await transfers.play(through: tapline, count: 120, seed: Self.seed)
            try await tapline.stop()
        }
    }
}
