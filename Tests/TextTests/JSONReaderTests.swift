import Testing

@testable import Text

struct JSONReaderTests {
    @Test(arguments: [
        "{}", "[]", "null", "true", "[1,2.5,-3e10,0]", #"{"a":{"b":[null,false]},"c":"d"}"#,
        #""line\nend\t\"quoted\" \\""#,
        #"{"z":1,"a":2}"#, #""ö → 𝄞""#,
    ])
    func value_readAndWritten_isTheSameText(text: String) throws {
        #expect(try JSONReader.read(Array(text.utf8)).line == text)
    }

    @Test func spaces_areLeftOut() throws {
        #expect(try JSONReader.read(Array(" { \"a\" : [ 1 ,\n2 ] } ".utf8)).line == #"{"a":[1,2]}"#)
    }

    @Test func escapes_areRead() throws {
        #expect(try JSONReader.read(Array(#""\u00e4\ud834\udd1e\/\b""#.utf8)) == .string("ä𝄞/\u{8}"))
    }

    @Test func halfOfAPair_isReplaced() throws {
        #expect(try JSONReader.read(Array(#""\ud834x""#.utf8)) == .string("\u{FFFD}x"))
    }

    @Test func controlCharacters_areEscapedAgain() throws {
        #expect(try JSONReader.read(Array(#""\u001b[2J""#.utf8)).line == #""\u001b[2J""#)
    }

    @Test(arguments: [
        "", "{", "[1,", "01", "-", "1.", "1e", "nul", "\"", "\"\u{1}\"", #""\x""#, #""\u12"#, #""\u+123""#, "{1:2}",
        "[1] 2",
        "{\"a\" 1}", "[,]", "{\"a\":1,}",
    ])
    func mistake_isRefused(text: String) {
        #expect(throws: JSONReader.Mistake.self) { try JSONReader.read(Array(text.utf8)) }
    }

    @Test func depth_isBounded() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: JSONReader.Mistake(offset: 64)) { try JSONReader.read(Array(deep.utf8)) }
    }

    @Test func members_areFoundByTheirKeys() throws {
        let value = try JSONReader.read(Array(#"{"count":7,"name":"web","on":true,"list":[1],"half":0.5}"#.utf8))
        #expect(value["count"].count == 7 && value["name"].text == "web" && value["on"].isTrue)
        #expect(value["list"].elements == [.number("1")] && value["half"].double == 0.5)
        #expect(value["nothing"].isNull && value["nothing"]["below"].isNull && value["name"].count == nil)
    }
}
