import Testing

@testable import Terminal

/// The columns of text that is not ASCII.
struct ColumnsTests {
    @Test(arguments: [
        ("", 0), ("web", 3), ("größe", 5), ("数据库", 6), ("データ", 6), ("ﾃﾞｰﾀ", 4), ("서버", 4), ("ｗｅｂ", 6),
        // Combining accents, a conjoining Hangul syllable, Devanagari with a vowel sign, an emoji, a flag.
        ("gro\u{308}\u{DF}e", 5), ("\u{1112}\u{1161}\u{11AB}", 2), ("कु", 1), ("🚀", 2), ("🇩🇪", 2),
        ("a\u{200B}b", 2), ("a\u{AD}b", 3), ("→…│", 3), ("𠀋", 2), ("〿", 1),
    ])
    func text_hasTheColumnsOfATerminal(text: String, columns: Int) {
        #expect(text.columns == columns)
    }

    @Test func cut_keepsWideCharactersWhole() {
        #expect("数据库".cut(to: 6, showsUnicode: true) == "数据库")
        #expect("数据库".cut(to: 5, showsUnicode: true) == "数据…")
        #expect("数据库".cut(to: 4, showsUnicode: true) == "数…")
        #expect("数据库:80".cutAtStart(to: 6, showsUnicode: true) == "…库:80")
        #expect("数据库:80".cutAtStart(to: 5, showsUnicode: true) == "…:80")
        #expect("数据库-8000".cutInMiddle(to: 8, showsUnicode: true) == "数…-8000")
        #expect("数".cut(to: 1, showsUnicode: true) == "" && "数".cutAtStart(to: 1, showsUnicode: true) == "")
        for width in 0...12 {
            for text in ["数据库 中文", "a\u{301}b\u{301}c\u{301}def", "plain text"] {
                #expect(text.cut(to: width, showsUnicode: true).columns <= width)
                #expect(text.cutAtStart(to: width, showsUnicode: true).columns <= width)
                #expect(text.cutInMiddle(to: width, showsUnicode: true).columns <= width)
            }
        }
    }

    @Test func padding_andLines_countColumns() {
        #expect("数".padded(to: 4) == "数  " && "e\u{301}".padded(to: 3, onLeft: true) == "  e\u{301}")
        #expect("数据 数据库 e\u{301}e\u{301} ab".wrapped(to: 6) == ["数据", "数据库", "e\u{301}e\u{301} ab"])
    }

    @Test func tableOfWideText_isAligned() {
        var table = TextTable([.init(title: "RELAY", shrinksTo: 4), .init(title: "OPEN", isNumber: true)])
        table.add(["数据库", "1"])
        table.add(["web", "12"])
        #expect(table.lines(within: nil, showsUnicode: true) == ["RELAY   OPEN", "数据库     1", "web       12"])
        #expect(table.lines(within: 11, showsUnicode: true) == ["RELAY  OPEN", "数据…     1", "web      12"])
    }
}
