import Recording
import Terminal
import Text

/// A table with a line for each conversation, in the requested order.
///
/// Lines are held back, so that columns line up: up to 50,000 of them, or until the input pauses. On a narrow terminal
/// each conversation takes two lines.
struct SummaryView: RecordingView {
    private static let mostWaiting = 50_000
    /// The least width of the last column for the table to be on one line.
    private static let narrowestLast = 20

    /// The order, and whether all lines are in it: then there are at most 50,000, the first ones.
    struct Order {
        var sort = ShowSort(.id)
        var isRequested = false
    }

    private let columns: Int?
    private let terminal: TerminalTraits
    private let times: TimeText
    private let order: Order
    private var rows: [SummaryRow] = []
    private var widths: [Int]
    private var hasHeader = false
    private var relays: Set<String?> = []
    /// Set with the header: whether there are several relays, and whether ids of several files are the same.
    private var showsRelay = false
    private var showsFile = false
    /// The file that is read.
    private var file = ""
    private var leftOut: UInt64 = 0

    /// A table for a terminal of this width; nil: lines may be of any length.
    init(columns: Int?, terminal: TerminalTraits, times: TimeText = .utc, order: Order = Order()) {
        self.columns = columns
        self.terminal = terminal
        self.times = times
        self.order = order
        widths = SummaryRow.header.cells.map(\.utf8.count)
    }

    mutating func begin(_ name: String) {
        file = name
    }

    mutating func append(_ event: RecordingEvent, into output: inout [UInt8]) {
        guard case .ended(let conversation) = event else { return }
        rows.append(SummaryRow(conversation, in: file, order.sort, times: times, showsUnicode: terminal.showsUnicode))
        if order.isRequested {
            if rows.count >= 2 * Self.mostWaiting { keepFirst() }
        } else if rows.count >= Self.mostWaiting {
            write(into: &output)
        }
    }

    mutating func flush(into output: inout [UInt8]) {
        if !order.isRequested { write(into: &output) }
    }

    mutating func finish(into output: inout [UInt8]) {
        keepFirst()
        write(into: &output)
    }

    var closingRemark: String? {
        leftOut > 0 ? "\(Quantity.number(leftOut, "more connection")) not listed; narrow the list with --filter" : nil
    }

    // MARK: Order

    private mutating func sortRows() {
        rows.sort { first, second in
            if (first.value, first.id) == (second.value, second.id) { return first.rank < second.rank }
            return order.sort.isBefore((first.value, first.id), (second.value, second.id))
        }
    }

    private mutating func keepFirst() {
        guard order.isRequested, rows.count > Self.mostWaiting else { return }
        sortRows()
        leftOut &+= UInt64(rows.count - Self.mostWaiting)
        rows.removeLast(rows.count - Self.mostWaiting)
    }

    // MARK: Lines

    private mutating func write(into output: inout [UInt8]) {
        guard !rows.isEmpty else { return }
        for row in rows {
            for (column, cell) in row.cells.enumerated() { widths[column] = max(widths[column], cell.columns) }
        }
        if !hasHeader {
            relays = Set(rows.map(\.relay))
            showsRelay = relays.count > 1
            showsFile = hasRepeatedIDs
        }
        sortRows()
        // The last column is not padded.
        let room = columns.map { $0 - shown.dropLast().reduce(0) { $0 + widths[$1] + 2 } }
        let isNarrow = room.map { $0 < Self.narrowestLast } ?? false
        if !hasHeader, !isNarrow { appendLine(.header, room, to: &output) }
        hasHeader = true
        for row in rows {
            if isNarrow { appendPair(row, to: &output) } else { appendLine(row, room, to: &output) }
        }
        rows.removeAll(keepingCapacity: true)
    }

    /// Whether ids of several files are the same, so that an id alone does not select a conversation.
    private var hasRepeatedIDs: Bool {
        var files: [UInt64: String] = [:]
        return rows.contains { row in
            defer { files[row.id] = row.file }
            return files[row.id].map { $0 != row.file } ?? false
        }
    }

    /// The columns that are shown.
    private var shown: [Int] {
        SummaryRow.header.cells.indices.filter { column in
            switch column {
            case SummaryRow.relayColumn: showsRelay
            case SummaryRow.fileColumn: showsFile
            default: true
            }
        }
    }

    private func appendLine(_ row: SummaryRow, _ room: Int?, to output: inout [UInt8]) {
        for column in shown.dropLast() {
            let cell = row.cells[column]
            let fill = String(repeating: " ", count: max(0, widths[column] - cell.columns))
            let text = painted(column, row)
            output.append(SummaryRow.isNumber[column] ? fill + text : text + fill)
            output.append("  ")
        }
        let last = cut(row.cells.last ?? "", to: room)
        output.append(row.isHeading ? terminal.painted(last, .bold) : last)
        output.append("\n")
    }

    /// Client, upstream and time on one line, bytes and end on the next.
    private func appendPair(_ row: SummaryRow, to output: inout [UInt8]) {
        let cells = row.cells
        let indent = widths[0] + 2
        output.append(String(repeating: " ", count: max(0, widths[0] - cells[0].columns)) + painted(0, row))
        let arrow = terminal.showsUnicode ? "→" : ">"
        let file = showsFile ? "\(cells[SummaryRow.fileColumn])  " : ""
        let relay = showsRelay ? "\(cells[SummaryRow.relayColumn]) \(arrow) " : ""
        output.append("  \(file)\(cells[2])  \(cells[4]) \(arrow) \(relay)\(cells[5])\n")
        output.append(String(repeating: " ", count: indent))
        let figures = "up \(cells[6]), down \(cells[7]), \(cells[8]), "
        let rest = cut("\(figures)\(cells[9])  \(cells[10])", to: columns.map { $0 - indent })
        let end = figures + cells[9]
        output.append(rest.hasPrefix(end) ? figures + painted(9, row) + rest.dropFirst(end.count) : rest)
        output.append("\n")
    }

    private func painted(_ column: Int, _ row: SummaryRow) -> String {
        row.style(of: column).map { terminal.painted(row.cells[column], $0) } ?? row.cells[column]
    }

    private func cut(_ text: String, to room: Int?) -> String {
        let mark = terminal.showsUnicode ? "…" : "..."
        guard let room, text.columns > room, room > mark.count else { return text }
        return text.prefix(columns: room - mark.count) + mark
    }
}
