package import Sockets

/// The width of lines on a terminal.
package enum TerminalWidth {
    /// COLUMNS of the environment, else the columns of standard output; nil where neither is known.
    package static var current: Int? { width(of: .standardOutput) }

    /// The width, which may change, of lines that are broken to it; nil where standard output is no terminal.
    package static var ofLines: (@Sendable () -> Int)? { ofLines(on: .standardOutput) }

    /// The same for another output.
    package static func ofLines(on output: OutputFile) -> (@Sendable () -> Int)? {
        guard output.isTerminal else { return nil }
        return { width(of: output) ?? 80 }
    }

    private static func width(of output: OutputFile) -> Int? {
        parse(ProcessEnvironment.value("COLUMNS")) ?? output.columns
    }

    /// The width in COLUMNS; nil where no terminal can have it.
    package static func parse(_ variable: String?) -> Int? {
        variable.flatMap { Int($0) }.flatMap { (1...10_000).contains($0) ? $0 : nil }
    }
}
