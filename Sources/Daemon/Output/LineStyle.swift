import Admin
import Configuration
import Relay
import Terminal
import Text

/// How lines of end records and diagnostics look: as in a log, or for a person at a terminal. A value; any thread.
struct LineStyle: Sendable {
    /// The format of a log.
    let live: LiveLog
    /// The lines of connections; nil: end records, and no openings.
    var connections: ConnectionLines?
    /// The width that end records are broken to, between fields; nil: each is one line.
    var recordColumns: (@Sendable () -> Int)?
    /// The terminal of diagnostics for a person; nil: diagnostics as in a log.
    var diagnostics: TerminalTraits?
    /// The width of that terminal.
    var columns: @Sendable () -> Int = { 80 }

    /// Appends a line's bytes.
    func append(_ line: Outputs.Line, to bytes: inout [UInt8]) {
        switch line {
        case .opened(let record):
            connections?.append(opened: record, to: &bytes)
        case .endRecord(let record):
            guard let connections else { return append(record, to: &bytes) }
            connections.append(ended: record, to: &bytes)
        case .diagnostic(let diagnostic):
            guard let diagnostics else { return diagnostic.append(as: live.format, to: &bytes) }
            diagnostic.append(forTerminal: diagnostics, columns: columns(), to: &bytes)
        case .text(let text):
            bytes.append(text)
        }
    }

    private func append(_ record: ConnectionRecord, to bytes: inout [UInt8]) {
        guard let recordColumns else { return record.appendEndRecord(as: live.format, to: &bytes) }
        var line: [UInt8] = []
        record.appendEndRecord(as: live.format, to: &line)
        for row in String(decoding: line.dropLast(), as: UTF8.self).wrapped(to: recordColumns()) {
            bytes.append(row + "\n")
        }
    }
}
