import Sockets

/// The width of lines on standard output.
package enum TerminalWidth {
    /// COLUMNS of the environment, else the terminal's columns; nil where neither is known.
    package static var current: Int? {
        parse(ProcessEnvironment.value("COLUMNS")) ?? OutputFile.standardOutput.columns
    }

    /// The width, which may change, of lines that are broken to it; nil where standard output is no terminal.
    package static var ofLines: (@Sendable () -> Int)? {
        guard OutputFile.standardOutput.isTerminal else { return nil }
        return { current ?? 80 }
    }

    /// The width in COLUMNS; nil where no terminal can have it.
    package static func parse(_ variable: String?) -> Int? {
        variable.flatMap { Int($0) }.flatMap { (1...10_000).contains($0) ? $0 : nil }
    }
}
