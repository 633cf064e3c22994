import Sockets
import TestSupport
import Testing

@testable import Recorder

struct TapAccountTests {
    @Test func closed_countsWhatIsNotWritten_andTakesNothingMore() {
        let account = TapAccount()
        #expect(account.willWrite(100))
        #expect(account.willWrite(20))
        account.couldNotWrite(20)
        #expect(account.willNotWrite(3))
        #expect(account.lost == 23)

        // Of 150 bytes, 100 are written, and 23 of the other 50 are already counted.
        let (lost, uncounted) = account.close(taken: 150)
        #expect(lost == 50 && uncounted == 27)
        #expect(!account.willWrite(27))
        #expect(!account.willNotWrite(27))
        #expect(account.lost == 50)
    }

    /// The worker counts what it passed on, the recorder what it wrote: a disagreement does not trap.
    @Test func closed_withLessThanWasWritten_hasLostNothing() {
        let account = TapAccount()
        #expect(account.willWrite(100))
        let (lost, uncounted) = account.close(taken: 3)
        #expect(lost == 0 && uncounted == 0)

        let other = TapAccount()
        #expect(other.willNotWrite(5))
        let (more, rest) = other.close(taken: 2)
        #expect(more == 2 && rest == 0)
    }

    /// Whichever comes first, no byte is both recorded and counted as dropped, and none is neither.
    @Test func closedWhileItIsWritten_countsEveryByteOnce() async {
        for _ in 0..<50 {
            let account = TapAccount()
            let taken: UInt64 = 7 * 20_000
            async let written = Self.write(taken, to: account)
            async let lost = account.close(taken: taken).lost
            let sum = await (written, lost)
            #expect(sum.0 + sum.1 == taken)
        }
    }

    /// Returns the number of bytes that the account allowed to be written.
    private static func write(_ count: UInt64, to account: TapAccount) async -> UInt64 {
        var written: UInt64 = 0
        for _ in 0..<count / 7 where account.willWrite(7) { written += 7 }
        return written
    }
}
