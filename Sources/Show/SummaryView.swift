import Recording
import Text

/// A table with a line for each conversation, in the order of their numbers.
///
/// Lines are held back, so that columns line up: up to 50,000 of them, or until the input pauses. On a narrow terminal
/// each conversation takes two lines.
struct SummaryView: RecordingView {
    private static let mostWaiting = 50_000
    /// The least width of the last column for the table to be on one line.
    private static let narrowestLast = 20

    private let columns: Int?
    private let showsUnicode: Bool
    private var rows: [SummaryRow] = []
    private var widths: [Int]
    private var hasHeader = false

    /// A table for a terminal of this width; nil: lines may be of any length.
    init(columns: Int?, showsUnicode: Bool) {
        self.columns = columns
        self.showsUnicode = showsUnicode
        widths = SummaryRow.header.cells.map(\.utf8.count)
    }

    mutating func append(_ event: RecordingEvent, into output: inout [UInt8]) {
        guard case .ended(let conversation) = event else { return }
        rows.append(SummaryRow(conversation, showsUnicode: showsUnicode))
        if rows.count >= Self.mostWaiting { write(into: &output) }
    }

    mutating func flush(into output: inout [UInt8]) {
        write(into: &output)
    }

    mutating func finish(into output: inout [UInt8]) {
        write(into: &output)
    }

    private mutating func write(into output: inout [UInt8]) {
        guard !rows.isEmpty else { return }
        for row in rows {
            for (column, cell) in row.cells.enumerated() { widths[column] = max(widths[column], cell.columns) }
        }
        rows.sort { $0.id < $1.id }
        // The last column is not padded.
        let room = columns.map { $0 - widths.dropLast().reduce(0) { $0 + $1 + 2 } }
        let isNarrow = room.map { $0 < Self.narrowestLast } ?? false
        if !hasHeader, !isNarrow { appendLine(.header, room, to: &output) }
        hasHeader = true
        for row in rows {
            if isNarrow { appendPair(row, to: &output) } else { appendLine(row, room, to: &output) }
        }
        rows.removeAll(keepingCapacity: true)
    }

    private func appendLine(_ row: SummaryRow, _ room: Int?, to output: inout [UInt8]) {
        for (column, cell) in row.cells.dropLast().enumerated() {
            let fill = String(repeating: " ", count: max(0, widths[column] - cell.columns))
            output.append(SummaryRow.isNumber[column] ? fill + cell : cell + fill)
            output.append("  ")
        }
        append(cut: row.cells.last ?? "", to: room, in: &output)
    }

    /// Client, upstream and time on one line, bytes and end on the next.
    private func appendPair(_ row: SummaryRow, to output: inout [UInt8]) {
        let cells = row.cells
        let indent = widths[0] + 2
        output.append(String(repeating: " ", count: max(0, widths[0] - cells[0].columns)) + cells[0])
        output.append("  \(cells[1])  \(cells[2]) \(showsUnicode ? "→" : ">") \(cells[3])\n")
        output.append(String(repeating: " ", count: indent))
        let rest = "up \(cells[4]), down \(cells[5]), \(cells[6]), \(cells[7])  \(cells[8])"
        append(cut: rest, to: columns.map { $0 - indent }, in: &output)
    }

    private func append(cut text: String, to room: Int?, in output: inout [UInt8]) {
        let mark = showsUnicode ? "…" : "..."
        if let room, text.columns > room, room > mark.count {
            output.append(String(text.prefix(room - mark.count)) + mark)
        } else {
            output.append(text)
        }
        output.append("\n")
    }
}
