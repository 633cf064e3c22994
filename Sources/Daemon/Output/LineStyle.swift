import Admin
import Configuration
import Relay
import Sockets
import Terminal
import Text

/// How lines of end records and diagnostics look: as in a log, or for a person at a terminal. A value; any thread.
struct LineStyle: Sendable {
    /// The format of a log.
    let live: LiveLog
    /// The lines of connections; nil: end records, and no openings.
    var connections: ConnectionLines?
    /// Lines of a text log are broken between words where their output is a terminal.
    var breaksLines = false
    /// The width that lines of a text log are broken to; nil: they are not broken.
    var logColumns: (@Sendable () -> Int)?
    /// The terminal of diagnostics for a person; nil: diagnostics as in a log.
    var diagnostics: TerminalTraits?
    /// The width of that terminal.
    var columns: @Sendable () -> Int = { 80 }

    /// The spaces at the start of a line's further rows.
    private static let indent = 4

    /// The style for an output.
    func on(_ output: OutputFile) -> LineStyle {
        var style = self
        if breaksLines { style.logColumns = TerminalWidth.ofLines(on: output) }
        return style
    }

    /// Appends a line's bytes.
    func append(_ line: Outputs.Line, to bytes: inout [UInt8]) {
        switch line {
        case .opened(let record):
            connections?.append(opened: record, to: &bytes)
        case .endRecord(let record):
            if let connections { return connections.append(ended: record, to: &bytes) }
            appendToLog(to: &bytes) { record.appendEndRecord(as: $0, to: &$1) }
        case .diagnostic(let diagnostic):
            guard let diagnostics else {
                return appendToLog(to: &bytes) { diagnostic.append(as: $0, to: &$1) }
            }
            diagnostic.append(forTerminal: diagnostics, columns: columns(), to: &bytes)
        case .text(let text):
            bytes.append(text)
        }
    }

    /// Appends a line of the log, whose bytes `append` makes with the log's format.
    private func appendToLog(to bytes: inout [UInt8], _ append: (LogSettings.Format, inout [UInt8]) -> Void) {
        let format = live.format
        guard let logColumns, format == .text else { return append(format, &bytes) }
        var line: [UInt8] = []
        append(format, &line)
        for row in String(decoding: line.dropLast(), as: UTF8.self).wrapped(to: logColumns(), indent: Self.indent) {
            bytes.append(row + "\n")
        }
    }
}
