/// Lines of cells that stand under each other. A value.
///
/// Where they do not fit a terminal's width, what is a luxury is left out first; then columns shrink, and then others are
/// left out, the least important first.
package struct TextTable {
    /// A column.
    package struct Column: Hashable, Sendable {
        /// What stands above it.
        var title: String
        /// Numbers stand on the right.
        var isNumber = false
        /// At least so many columns: what moves should not make its neighbours jump.
        var atLeast = 0
        /// Left out in this order, the highest first; 0 never is.
        var dispensable = 0
        /// Cut down to so many columns where room is short; nil: never.
        var shrinksTo: Int?
        /// What is cut is the start: of an address the end says more.
        var keepsEnd = false

        /// A column; its cells stand on the left, unless they are numbers.
        package init(
            title: String, isNumber: Bool = false, atLeast: Int = 0, dispensable: Int = 0, shrinksTo: Int? = nil,
            keepsEnd: Bool = false
        ) {
            self.title = title
            self.isNumber = isNumber
            self.atLeast = atLeast
            self.dispensable = dispensable
            self.shrinksTo = shrinksTo
            self.keepsEnd = keepsEnd
        }
    }

    /// From here on a column is left out before others are cut.
    static let luxury = 5

    let columns: [Column]
    private(set) var rows: [[String]] = []

    /// An empty table.
    package init(_ columns: [Column]) {
        self.columns = columns
    }

    /// Adds a line; its cells are harmless, one for each column.
    package mutating func add(_ cells: [String]) {
        precondition(cells.count == columns.count, "TextTable: a row has a cell for each column")
        rows.append(cells)
    }

    /// The lines, the header first, in so many columns; nil: as wide as they are. No line ends in spaces.
    package func lines(within width: Int?, showsUnicode: Bool) -> [String] {
        var widths = columns.indices.map(naturalWidth)
        let shown = fit(&widths, within: width)
        return ([columns.map(\.title)] + rows).map { cells in
            var line = ""
            for column in shown {
                if column != shown.first { line += "  " }
                let cell =
                    columns[column].keepsEnd
                    ? cells[column].cutAtStart(to: widths[column], showsUnicode: showsUnicode)
                    : cells[column].cut(to: widths[column], showsUnicode: showsUnicode)
                line += cell.padded(to: widths[column], onLeft: columns[column].isNumber)
            }
            while line.last == " " { line.removeLast() }
            return width.map { line.cut(to: $0, showsUnicode: showsUnicode) } ?? line
        }
    }

    /// Chooses which columns are shown, and how wide they are.
    private func fit(_ widths: inout [Int], within width: Int?) -> [Int] {
        var shown = Array(columns.indices)
        guard let width else { return shown }
        func excess() -> Int { shown.reduce(-2) { $0 + widths[$1] + 2 } - width }
        while excess() > 0, let luxury = leastOf(shown), columns[luxury].dispensable >= Self.luxury {
            shown.removeAll { $0 == luxury }
        }
        // A little shorter is better than not at all; the widest gives first.
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

    private func leastOf(_ shown: [Int]) -> Int? {
        shown.max { columns[$0].dispensable < columns[$1].dispensable }
    }

    /// Gives room that a column has left to those that were cut.
    private func widenAgain(_ widths: inout [Int], by room: Int, _ shown: [Int]) {
        var room = room
        for column in shown where columns[column].shrinksTo != nil && room > 0 {
            let more = min(room, max(0, naturalWidth(of: column) - widths[column]))
            widths[column] += more
            room -= more
        }
    }

    private func naturalWidth(of column: Int) -> Int {
        rows.reduce(max(columns[column].title.count, columns[column].atLeast)) { max($0, $1[column].count) }
    }
}
