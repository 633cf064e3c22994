/// A table of text. A value.
///
/// Where it does not fit the width, columns without a value in any row are left out first, then luxury columns; then
/// columns shrink, and then further columns are left out, the least important first.
package struct TextTable {
    /// A column.
    package struct Column: Hashable, Sendable {
        /// The heading.
        var title: String
        /// Aligned to the right.
        var isNumber = false
        /// The least width, so that changing values do not move the columns next to them.
        var atLeast = 0
        /// The order in which columns are left out, highest first; 0: never.
        var dispensable = 0
        /// The least width that it can be cut to; nil: never cut.
        var shrinksTo: Int?
        /// Which part of a cell is cut.
        var cut = Cut.end

        /// The part of a cell that is cut where it does not fit.
        enum Cut: Hashable, Sendable {
            case end
            /// The end of an address identifies it.
            case start
            /// Both ends of a path identify it.
            case middle

            func apply(to cell: String, _ columns: Int, showsUnicode: Bool) -> String {
                switch self {
                case .end: cell.cut(to: columns, showsUnicode: showsUnicode)
                case .start: cell.cutAtStart(to: columns, showsUnicode: showsUnicode)
                case .middle: cell.cutInMiddle(to: columns, showsUnicode: showsUnicode)
                }
            }
        }

        /// A column; aligned to the left unless it holds numbers.
        package init(
            title: String, isNumber: Bool = false, atLeast: Int = 0, dispensable: Int = 0, shrinksTo: Int? = nil,
            keepsEnd: Bool = false, keepsBothEnds: Bool = false
        ) {
            self.title = title
            self.isNumber = isNumber
            self.atLeast = atLeast
            self.dispensable = dispensable
            self.shrinksTo = shrinksTo
            cut = keepsBothEnds ? .middle : keepsEnd ? .start : .end
        }
    }

    /// Columns from this value of `dispensable` on are left out before others are cut.
    static let luxury = 5

    let columns: [Column]
    private(set) var rows: [[String]] = []

    /// An empty table.
    package init(_ columns: [Column]) {
        self.columns = columns
    }

    /// Adds a row with one cell per column; cells are harmless text.
    package mutating func add(_ cells: [String]) {
        precondition(cells.count == columns.count, "TextTable: a row has a cell for each column")
        rows.append(cells)
    }

    /// The lines, heading first, within the width; nil: no limit. No line ends in spaces.
    package func lines(within width: Int?, showsUnicode: Bool) -> [String] {
        lines(within: width, TerminalTraits(showsColor: false, showsUnicode: showsUnicode)) { _, _ in nil }
    }

    /// The same in styles: that of a cell, by the number of its row (nil: the heading) and the title of its column.
    package func lines(
        within width: Int?, _ terminal: TerminalTraits, style: (_ row: Int?, _ title: String) -> Paint?
    ) -> [String] {
        var widths = columns.indices.map(naturalWidth)
        let shown = fit(&widths, within: width)
        let heading = line(columns.map(\.title), of: shown, widths, within: width, terminal) { style(nil, $0) }
        return [heading]
            + rows.enumerated().map { index, cells in
                line(cells, of: shown, widths, within: width, terminal) { style(index, $0) }
            }
    }

    private func line(
        _ cells: [String], of shown: [Int], _ widths: [Int], within width: Int?, _ terminal: TerminalTraits,
        _ style: (String) -> Paint?
    ) -> String {
        var plain = ""
        var styled = ""
        for column in shown {
            let cell = columns[column].cut.apply(
                to: cells[column], widths[column], showsUnicode: terminal.showsUnicode)
            let painted = style(columns[column].title).map { terminal.painted(cell, $0) } ?? cell
            let fill = String(repeating: " ", count: max(0, widths[column] - cell.columns))
            let gap = column == shown.first ? "" : "  "
            plain += gap + (columns[column].isNumber ? fill + cell : cell + fill)
            styled += gap + (columns[column].isNumber ? fill + painted : painted + fill)
        }
        while plain.last == " " { plain.removeLast() }
        while styled.last == " " { styled.removeLast() }
        // Without styles: the cut could be within an escape sequence.
        if let width, plain.columns > width { return plain.cut(to: width, showsUnicode: terminal.showsUnicode) }
        return styled
    }

    /// Chooses the columns that are shown, and their widths.
    private func fit(_ widths: inout [Int], within width: Int?) -> [Int] {
        var shown = Array(columns.indices)
        guard let width else { return shown }
        func excess() -> Int { shown.reduce(-2) { $0 + widths[$1] + 2 } - width }
        while excess() > 0, let empty = shown.last(where: isEmpty) { shown.removeAll { $0 == empty } }
        while excess() > 0, let luxury = leastOf(shown), columns[luxury].dispensable >= Self.luxury {
            shown.removeAll { $0 == luxury }
        }
        // A shorter cell is better than a missing column; the widest column shrinks first.
        while excess() > 0 {
            let shrinking = shown.filter { column in columns[column].shrinksTo.map { widths[column] > $0 } ?? false }
            guard let widest = shrinking.max(by: { widths[$0] < widths[$1] }) else { break }
            widths[widest] -= 1
        }
        while excess() > 0 {
            guard let least = leastOf(shown), columns[least].dispensable > 0 else { break }
            shown.removeAll { $0 == least }
            widenAgain(&widths, by: -excess(), shown)
        }
        return shown
    }

    /// Whether a column has no value in any row. One with a least width stays, because its values come and go.
    private func isEmpty(_ column: Int) -> Bool {
        !rows.isEmpty && columns[column].atLeast == 0 && rows.allSatisfy { ["", "-"].contains($0[column]) }
    }

    private func leastOf(_ shown: [Int]) -> Int? {
        shown.max { columns[$0].dispensable < columns[$1].dispensable }
    }

    /// Gives spare columns back to the cells that were cut: as many columns as possible are whole again, and the first
    /// of the others gets the rest.
    private func widenAgain(_ widths: inout [Int], by room: Int, _ shown: [Int]) {
        var room = room
        let cut = shown.filter { columns[$0].shrinksTo != nil }
            .map { (column: $0, missing: max(0, naturalWidth(of: $0) - widths[$0])) }
        for (column, missing) in cut.sorted(by: { $0.missing < $1.missing }) where missing <= room {
            widths[column] += missing
            room -= missing
        }
        if let first = cut.first(where: { widths[$0.column] < naturalWidth(of: $0.column) }) {
            widths[first.column] += max(0, room)
        }
    }

    private func naturalWidth(of column: Int) -> Int {
        rows.reduce(max(columns[column].title.columns, columns[column].atLeast)) { max($0, $1[column].columns) }
    }
}
