import Sockets
import Text

/// The progress of long work, on one line of standard error: it appears after a second, only on a terminal, and is
/// removed at the end. One thread.
package struct ProgressLine {
    /// The least time before the line appears, and between two changes, in milliseconds.
    private static let patience: UInt64 = 1000
    private static let interval: UInt64 = 200

    private let name: String
    private let isShown: Bool
    private let clock: () -> UInt64
    private let write: (String) -> Void
    private let started: UInt64
    private var drawn: UInt64?

    /// A line for the work of this name. `isShown` is false where it would disturb other output; `clock` reads
    /// milliseconds that never go back.
    package init(
        _ name: String, isShown: Bool, clock: @escaping () -> UInt64,
        write: @escaping (String) -> Void = writeToStandardError
    ) {
        self.name = name
        self.isShown = isShown
        self.clock = clock
        self.write = write
        started = isShown ? clock() : 0
    }

    /// The work has reached a number of bytes; `total` is 0 if unknown.
    package mutating func update(_ done: UInt64, of total: UInt64) {
        guard isShown else { return }
        let now = clock()
        let waited = Monotonic.elapsed(from: drawn ?? started, to: now)
        guard waited >= (drawn == nil ? Self.patience : Self.interval) else { return }
        drawn = now
        var words = SizeText.short(done)
        if total > 0 {
            let percent = UInt64(saturating: Double(done) / Double(total) * 100)
            words = "\(min(100, percent)) %, \(words) of \(SizeText.short(total))"
        }
        write("\r\(name): \(words)\u{1B}[K")
    }

    /// Removes the line, before other output and at the end.
    package mutating func clear() {
        guard drawn != nil else { return }
        drawn = nil
        write("\r\u{1B}[K")
    }
}
