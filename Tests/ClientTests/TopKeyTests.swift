import Testing

@testable import Client

struct TopKeyTests {
    @Test(arguments: [
        ("\u{1B}[A", [TopKey.up]), ("\u{1B}OB", [.down]), ("\u{1B}[5~", [.pageUp]), ("\u{1B}[6~", [.pageDown]),
        ("\u{1B}[1~", [.home]), ("\u{1B}[F", [.end]), ("\u{1B}[1;5A", [.up]), ("\r", [.enter]),
        ("\u{7F}", [.backspace]),
        ("\u{3}", [.interrupt]), ("\u{1A}", [.suspend]), ("qä𝄞", [.character("q"), .character("ä"), .character("𝄞")]),
        ("\u{1B}q", [.escape, .character("q")]), ("\u{1B}[200~", []), ("\u{202E}", []), ("\u{1}", []),
    ])
    func bytes_becomeKeys(text: String, keys: [TopKey]) {
        var reader = TopKeyReader()
        #expect(reader.decode(Array(text.utf8)) == keys)
        #expect(!reader.isInSequence)
    }

    @Test func sequence_inPieces_isOneKey() {
        var reader = TopKeyReader()
        #expect(reader.decode([0x1B]).isEmpty && reader.isInSequence)
        #expect(reader.decode([0x5B]).isEmpty && reader.isInSequence)
        #expect(reader.decode([0x41]) == [.up])
    }

    @Test func escape_alone_isAKeyAfterAWhile() {
        var reader = TopKeyReader()
        #expect(reader.decode([0x1B]).isEmpty)
        #expect(reader.endSequence() == [.escape])
        #expect(reader.endSequence().isEmpty)
    }

    @Test func character_inPieces_isOneKey() {
        var reader = TopKeyReader()
        #expect(reader.decode([0xC3]).isEmpty)
        #expect(reader.decode([0xA4]) == [.character("ä")])
    }

    @Test func nonsense_isNotWaitedFor() {
        var reader = TopKeyReader()
        _ = reader.decode(Array("\u{1B}[".utf8) + Array(repeating: 0x30, count: 100))
        #expect(reader.decode([UInt8(ascii: "q")]) == [.character("q")])
        // No character starts with these bytes; they are skipped, and what follows is decoded.
        _ = reader.decode([0xFF, 0xFE])
        #expect(reader.decode(Array("stuv".utf8)).last == .character("v"))
    }
}
