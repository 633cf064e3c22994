package import Sockets
import Terminal

/// The terminal of `tapline top`: alternate screen, no cursor, raw input. Every `take` needs a `release`. On the main
/// thread only.
package final class TopTerminal {
    /// Alternate screen, cursor hidden, no wrapping (xterm's private modes 1049, 25 and 7).
    private static let enter = "\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l"
    private static let leave = "\u{1B}[0m\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"

    private let mode: TerminalMode
    private let output = OutputFile.standardOutput
    private var isTaken = false
    private var last: [String] = []

    /// What the terminal can show.
    let traits = TerminalTraits(of: .standardOutput)

    /// Of the terminal's original mode.
    package init(_ mode: TerminalMode) {
        self.mode = mode
    }

    deinit {
        precondition(!isTaken, "TopTerminal: release() was never called")
    }

    /// The current size.
    var size: (columns: Int, rows: Int) {
        (max(20, output.columns ?? 80), max(6, output.rows ?? 24))
    }

    /// Enters the alternate screen and raw mode.
    func take() throws {
        do {
            try mode.enterRaw()
        } catch {
            throw SystemError("set up the terminal", error)
        }
        isTaken = true
        last = []
        try write(Self.enter)
    }

    /// Restores the terminal. A second call does nothing.
    func release() {
        guard isTaken else { return }
        isTaken = false
        // Fails only where the terminal was closed.
        try? write(Self.leave)
        mode.restore()
    }

    /// The next `show` draws every line.
    func forget() {
        last = []
    }

    /// Writes the lines that have changed.
    func show(_ lines: [String]) throws {
        var text = last.isEmpty ? "\u{1B}[H\u{1B}[2J" : ""
        for (row, line) in lines.enumerated() where row >= last.count || last[row] != line {
            // Cleared before the text: after a full line, the cursor is still on its last character.
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
