import Foundation
import Testing

/// Random transfers that `ChaosTests` does not cover: half-closes in every order, slow readers, tiny and huge writes.
/// Every byte is hashed at both ends, and the counters equal the bytes sent.
struct TransferTests {
    /// `TAPLINE_SEED` repeats a failed run.
    private static let seed =
        ProcessInfo.processInfo.environment["TAPLINE_SEED"] ?? "\(UInt32.random(in: 0...UInt32.max))"

    /// Shown traffic is copied instead of spliced; and text shows every byte of it.
    @Test(.needs("python3")) func randomisedTransfers_thatAreShown_allArriveWhole() async throws {
        try await scene(.heavy) { scene in
            let options = ["--count", "80", "--most", "200000", "--seed", Self.seed]
            let transfers = try Transfers(in: scene, options)
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try await scene.listening(transfers.program))", options: ["--print", "text"])
            try await transfers.play(through: tapline, count: 80, seed: Self.seed)
        }
    }

    /// Pipes run out for an ordinary user: another program of the same user holds about as many as the kernel grants in
    /// full size (1,024, pipe(7)), or more, so that the relay gets few large and then small ones, or only small ones,
    /// and copies.
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
