import Foundation
import Synchronization
import ThreadSanitizerLocks

/// Two threads that increment one counter: `Planted guarded` with a lock, `Planted bare` without. The thread sanitizer must
/// not report the first, however often the threads wait for each other, and must report the second.

/// What both threads count up. The bare count is unguarded on purpose, which is why this is an unchecked Sendable.
final class Counts: @unchecked Sendable {
    let guarded = Mutex([0])
    var bare = 0

    /// Holds the lock long enough that other threads wait for it: an array that grows allocates and frees.
    func count(bare isBare: Bool) {
        guarded.withLock { values in
            values.append(values[0])
            values[0] += 1
            if values.count > 100 { values.removeLast(values.count - 1) }
        }
        if isBare { bare += 1 }
    }
}

enum Planted {
    static let leastWaits: UInt = 100

    static func run(bare: Bool) -> Int32 {
        guard thread_sanitizer_sees_locks() == 1 else {
            print("Planted: this is no build for the thread sanitizer")
            return 1
        }
        let counts = Counts()
        let deadline = Date(timeIntervalSinceNow: 60)
        let threads = DispatchGroup()
        for _ in 0..<2 {
            let thread = Thread {
                while thread_sanitizer_waits() < leastWaits, Date() < deadline {
                    for _ in 0..<1_000 { counts.count(bare: bare) }
                }
                threads.leave()
            }
            threads.enter()
            thread.start()
        }
        threads.wait()
        let waits = thread_sanitizer_waits()
        print("Planted: the threads waited \(waits) times for each other")
        return waits >= leastWaits ? 0 : 1
    }
}

exit(Planted.run(bare: CommandLine.arguments.dropFirst().first == "bare"))
