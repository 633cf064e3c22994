import Glibc
package import Sockets
import Terminal

/// The terminal while `tapline top` has it: the alternate screen, no cursor, every key at once. Whoever takes it gives it
/// back. On the main thread only.
package final class TopTerminal {
    /// Alternate screen, cursor hidden, no wrapping (xterm's private modes 1049, 25 and 7).
    private static let enter = "\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l"
    private static let leave = "\u{1B}[0m\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"

    private let mode: TerminalMode
    private let output = OutputFile.standardOutput
    private var isTaken = false
    private var last: [String] = []

    /// What can be shown.
    let traits = TerminalTraits(of: .standardOutput)

    /// Of the mode that there was.
    package init(_ mode: TerminalMode) {
        self.mode = mode
    }

    deinit {
        precondition(!isTaken, "TopTerminal: release() was never called")
    }

    /// The size now.
    var size: (columns: Int, rows: Int) {
        (max(20, output.columns ?? 80), max(6, output.rows ?? 24))
    }

    /// Takes it.
    func take() throws {
        do {
            try mode.enterRaw()
        } catch {
            throw SystemError("take over the terminal", error)
        }
        isTaken = true
        last = []
        try write(Self.enter)
    }

    /// Gives it back as it was. A second call does nothing.
    func release() {
        guard isTaken else { return }
        isTaken = false
        // A terminal that is gone needs nothing.
        try? write(Self.leave)
        mode.restore()
    }

    /// Draws everything anew at the next `show`.
    func forget() {
        last = []
    }

    /// Shows lines: those that have changed are written.
    func show(_ lines: [String]) throws {
        var text = last.isEmpty ? "\u{1B}[H\u{1B}[2J" : ""
        for (row, line) in lines.enumerated() where row >= last.count || last[row] != line {
            // Cleared first: behind a full line the cursor still stands on its last character.
            text += "\u{1B}[\(row + 1);1H\u{1B}[K\(line)"
        }
        last = lines
        if !text.isEmpty { try write(text) }
    }

    private func write(_ text: String) throws {
        var offset = 0
        do {
            try output.write(Array(text.utf8), from: &offset)
        } catch {
            throw SystemError("write to the terminal", error)
        }
    }
}
