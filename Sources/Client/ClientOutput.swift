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
    /// How times are shown.
    package let zone: TimeText

    /// The process's standard output. Times are local on a terminal, unless `showsUTC`.
    package init(showsUTC: Bool = false) {
        let file = OutputFile.standardOutput
        columns = file.isTerminal ? TerminalWidth.current : nil
        terminal = TerminalTraits(of: file)
        zone = file.isTerminal && !showsUTC ? .local : .utc
    }

    /// An output as given, for its layout.
    init(columns: Int?, terminal: TerminalTraits, zone: TimeText) {
        self.columns = columns
        self.terminal = terminal
        self.zone = zone
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
        terminal.painted(text, .bold)
    }

    /// Text that matters less: dim where the terminal can show it.
    package func dim(_ text: String) -> String {
        terminal.painted(text, .dim)
    }

    /// A failure: red where the terminal can show it.
    package func trouble(_ text: String) -> String {
        terminal.painted(text, .boldFailure)
    }

    /// A warning, coloured where the terminal can show it.
    package func warning(_ text: String) -> String {
        terminal.painted(text, .warning)
    }
}
