import Sockets

/// The width of lines on standard output.
package enum TerminalWidth {
    /// COLUMNS of the environment, else the terminal's columns; nil where neither is known.
    package static var current: Int? {
        parse(ProcessEnvironment.value("COLUMNS")) ?? OutputFile.standardOutput.columns
    }

    /// The width in COLUMNS; nil where no terminal can have it.
    package static func parse(_ variable: String?) -> Int? {
        variable.flatMap { Int($0) }.flatMap { (1...10_000).contains($0) ? $0 : nil }
    }
}
