import EventLoop
import Glibc
import Sockets
package import Terminal
package import Text

/// Standard output of the client commands: a reader that closes the pipe ends the command without an error. One thread.
package struct ClientOutput {
    /// The width of lines: a terminal's columns, or `COLUMNS`; nil: no limit.
    package let columns: Int?
    /// What the output can show.
    package let terminal: TerminalTraits

    /// The process's standard output.
    package init() {
        let file = OutputFile.standardOutput
        columns = file.isTerminal ? TerminalWidth.current : nil
        terminal = TerminalTraits(of: file)
    }

    /// Whether standard output is a terminal.
    package static var isTerminal: Bool { OutputFile.standardOutput.isTerminal }

    /// Writes bytes. A closed pipe ends the process with success: `| head` has read enough.
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

    /// Writes JSON values, one per line.
    package func write(json values: [JSONValue]) throws {
        var bytes: [UInt8] = []
        for value in values {
            value.append(to: &bytes)
            bytes.append(UInt8(ascii: "\n"))
        }
        try write(bytes)
    }

    /// Bold text where the terminal can show it.
    package func bold(_ text: String) -> String {
        terminal.showsColor ? "\u{1B}[1m\(text)\u{1B}[0m" : text
    }

    /// A warning: yellow where the terminal can show it.
    package func warning(_ text: String) -> String {
        terminal.showsColor ? "\u{1B}[33m\(text)\u{1B}[0m" : text
    }
}
