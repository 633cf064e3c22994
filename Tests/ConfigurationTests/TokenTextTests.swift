import Configuration
import Testing

/// The text form of the admin API's token.
struct TokenTextTests {
    @Test(arguments: [
        ("good-token-1234", "good-token-1234"), ("good-token-1234\n", "good-token-1234"),
        (" \tgood-token-1234\r\n", "good-token-1234"), ("\u{FEFF}good-token-1234\r\n", "good-token-1234"),
        ("\u{FEFF}", nil),
        ("12345678", "12345678"), ("", nil), (" \n", nil),
        (String(repeating: "x", count: 1024), String(repeating: "x", count: 1024)),
    ])
    func whitespaceAround_isNoPartOfIt(_ text: String, _ token: String?) throws {
        #expect(try TokenText.parse(text) == token)
        #expect(try TokenText.parse(variable: text) == token)
    }

    @Test(arguments: [
        "short", "1234567", "two words-1234", "first-line\nsecond-line", "tökens-1234", "token-\u{7F}1234",
        String(repeating: "x", count: 1025),
    ])
    func whatCannotBeOne_isAnError_andNotNothing(_ text: String) {
        #expect(throws: ValueError.self) { try TokenText.parse(text) }
        let error = #expect(throws: ValueError.self) { try TokenText.parse(variable: text) }
        #expect(error?.message.contains("TAPLINE_ADMIN_TOKEN") == true)
        #expect(error?.message.contains(text) == false)
    }

    @Test func unsetVariable_isNoToken() throws {
        #expect(try TokenText.parse(variable: nil) == nil)
    }
}
