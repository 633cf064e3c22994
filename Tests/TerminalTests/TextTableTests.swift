import Testing

@testable import Terminal

struct TextTableTests {
    private func table(_ columns: [TextTable.Column], _ rows: [String]...) -> TextTable {
        var table = TextTable(columns)
        for row in rows { table.add(row) }
        return table
    }

    private let three: [TextTable.Column] = [
        .init(title: "ID", isNumber: true), .init(title: "CLIENT", shrinksTo: 6, keepsEnd: true),
        .init(title: "STATE", dispensable: 1),
    ]

    @Test func cells_standUnderEachOther() {
        let lines = table(three, ["1", "127.0.0.1:80", "open"], ["100", "[::1]:9", "half_closed"])
            .lines(within: nil, showsUnicode: true)
        #expect(
            lines == [
                " ID  CLIENT        STATE", "  1  127.0.0.1:80  open", "100  [::1]:9       half_closed",
            ])
    }

    @Test func narrow_addressesLoseTheirStart() {
        let lines = table(three, ["1", "127.0.0.1:5000", "open"]).lines(within: 20, showsUnicode: true)
        #expect(lines == ["ID  CLIENT     STATE", " 1  …0.1:5000  open"])
        #expect(lines.allSatisfy { $0.count <= 20 })
    }

    @Test func narrower_columnsAreLeftOut() {
        let lines = table(three, ["1", "127.0.0.1:5000", "open"]).lines(within: 12, showsUnicode: false)
        #expect(lines == ["ID  CLIENT", " 1  ~.1:5000"])
    }

    @Test func optionalColumns_areLeftOutBeforeAnythingIsCut() {
        let columns: [TextTable.Column] = [
            .init(title: "CLIENT", shrinksTo: 6), .init(title: "BAR", dispensable: TextTable.luxury),
        ]
        #expect(
            table(columns, ["127.0.0.1:5000", "###"]).lines(within: 16, showsUnicode: true) == [
                "CLIENT", "127.0.0.1:5000",
            ])
    }

    /// Only where the table does not fit, the rightmost first, and before an address is cut.
    @Test(arguments: [
        (33, "CLIENT          UP/S  DOWN/S  REC", "127.0.0.1:5000  -     -       -"),
        (32, "CLIENT          UP/S  DOWN/S", "127.0.0.1:5000  -     -"),
        (27, "CLIENT          UP/S", "127.0.0.1:5000  -"), (14, "CLIENT", "127.0.0.1:5000"),
        (10, "CLIENT", "….0.1:5000"),
    ])
    func columnsWithoutAnyValue_areLeftOutFirst(width: Int, heading: String, row: String) {
        let columns: [TextTable.Column] = [
            .init(title: "CLIENT", shrinksTo: 6, keepsEnd: true), .init(title: "UP/S"), .init(title: "DOWN/S"),
            .init(title: "REC", dispensable: 1),
        ]
        #expect(
            table(columns, ["127.0.0.1:5000", "-", "-", "-"]).lines(within: width, showsUnicode: true) == [
                heading, row,
            ])
    }

    @Test func columnWithOneValue_isKeptLongerThanAnEmptyOne() {
        let columns: [TextTable.Column] = [
            .init(title: "ID"), .init(title: "UP/S", dispensable: 3), .init(title: "DOWN/S", dispensable: 3),
            .init(title: "WAITS", atLeast: 8),
        ]
        let lines = table(columns, ["1", "-", "-", ""], ["2", "-", "9 B/s", ""]).lines(within: 24, showsUnicode: true)
        // WAITS has a least width, so that it does not come and go.
        #expect(lines == ["ID  DOWN/S  WAITS", "1   -", "2   9 B/s"])
    }

    @Test(arguments: 1...40) func anyWidth_isKept(width: Int) {
        let lines = table(three, ["1", "127.0.0.1:5000", "half_closed"]).lines(within: width, showsUnicode: true)
        #expect(lines.allSatisfy { $0.count <= width })
    }

    @Test func atLeast_keepsColumnsStill() {
        let columns: [TextTable.Column] = [.init(title: "UP", isNumber: true, atLeast: 8), .init(title: "END")]
        #expect(table(columns, ["9 B", "x"]).lines(within: nil, showsUnicode: true)[1] == "     9 B  x")
    }

    /// Of a column that is left out.
    @Test func spareColumns_makeNearlyWholeCellsWhole() {
        let columns: [TextTable.Column] = [
            .init(title: "NAME", shrinksTo: 4), .init(title: "ADDRESS", shrinksTo: 6, keepsEnd: true),
            .init(title: "RATE", dispensable: 1),
        ]
        let lines = table(columns, [String(repeating: "n", count: 30), "127.0.0.1:5000", "12.0 KiB/s"])
            .lines(within: 22, showsUnicode: true)
        #expect(lines == ["NAME    ADDRESS", "nnnnn…  127.0.0.1:5000"])
    }

    @Test func valueOfAName_isWrappedInItsColumn() {
        #expect("one two three".wrapped(to: 12, after: "up", indent: 4) == ["up  one two", "    three"])
    }

    @Test func words_areWrappedBetweenThem() {
        #expect("one two three four".wrapped(to: 8) == ["one two", "three", "four"])
        #expect("".wrapped(to: 8) == [""])
    }
}
