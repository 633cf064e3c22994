import EventLoop
import Glibc
import Sockets
package import Terminal

/// Standard output as the client commands use it: a reader that stops reading ends the command quietly. One thread.
package struct ClientOutput {
    /// How wide lines may be: a terminal's columns, or `COLUMNS`; nil: as wide as they are.
    package let columns: Int?
    /// What can be shown.
    package let terminal: TerminalTraits

    /// The process's standard output.
    package init() {
        let file = OutputFile.standardOutput
        columns = file.isTerminal ? TerminalWidth.current : nil
        terminal = TerminalTraits(of: file)
    }

    /// Whether a terminal shows it.
    package static var isTerminal: Bool { OutputFile.standardOutput.isTerminal }

    /// Writes bytes. Where the reader has gone the process ends, and that is success: `| head` has seen enough.
    package func write(_ bytes: [UInt8]) throws {
        var offset = 0
        do {
            try OutputFile.standardOutput.write(bytes, from: &offset)
        } catch {
            if error.isBrokenPipe { EventLoop.leaveProcess(EXIT_SUCCESS) }
            throw SystemError("write to standard output", error)
        }
    }

    /// Writes lines.
    package func write(lines: [String]) throws {
        try write(Array(lines.map { $0 + "\n" }.joined().utf8))
    }

    /// Writes JSON values, one a line.
    package func write(json values: [JSONValue]) throws {
        var bytes: [UInt8] = []
        for value in values {
            value.append(to: &bytes)
            bytes.append(UInt8(ascii: "\n"))
        }
        try write(bytes)
    }

    /// Bold text where that can be shown.
    package func bold(_ text: String) -> String {
        terminal.showsColor ? "\u{1B}[1m\(text)\u{1B}[0m" : text
    }

    /// A text that warns: in yellow where that can be shown.
    package func warning(_ text: String) -> String {
        terminal.showsColor ? "\u{1B}[33m\(text)\u{1B}[0m" : text
    }
}
