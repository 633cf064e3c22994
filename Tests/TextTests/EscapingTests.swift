import Testing
import Text

struct EscapingTests {
    @Test func harmless_leavesNothingThatActsOnATerminal() {
        #expect("a\u{1B}[2J\u{9B}\u{202E}ö\n".harmless == #"a\u001b[2J\u009b\u202eö\n"#)
        #expect("a\n\u{1B}".harmlessLines == "a\n\\u001b")
        #expect("ö…\u{1B}".harmless(showsUnicode: false) == "?...\\u001b")
        #expect("plain".harmless(showsUnicode: true) == "plain")
    }

    @Test func bytesOfAPeer_arePrintableASCII_inBothForms() {
        let bytes = Array("a b\"\\\u{1B}\r\né\u{7F}".utf8) + [0]
        #expect(
            String(printableASCII: bytes, escapes: .hexadecimal)
                == #"a b\x22\x5c\x1b\x0d\x0a\xc3\xa9\x7f\x00"#)
        #expect(
            String(printableASCII: bytes, escapes: .backslashes)
                == #"a b\"\\\x1b\r\n\xc3\xa9\x7f\x00"#)
        for escapes in [ByteEscapes.hexadecimal, .backslashes] {
            let all = String(printableASCII: UInt8.min...UInt8.max, escapes: escapes)
            #expect(all.utf8.allSatisfy { (0x20..<0x7F).contains($0) })
        }
    }

    @Test func printable_keepsLines_andShowsBytes() {
        var bytes: [UInt8] = []
        bytes.append(printable: Array("a\r\n\u{7}→".utf8), showsUnicode: true)
        bytes.append(printable: Array("→".utf8), showsUnicode: false)
        #expect(String(decoding: bytes, as: UTF8.self) == "a\n\\x07→\n\\xe2\\x86\\x92\n")
    }

    @Test(arguments: [
        ("one\r\ntwo\r\n", "one\ntwo\n"), ("a\rb", "a\\rb\n"), ("a\r", "a\\r\n"), ("\r\r\n", "\\r\n"),
        ("a\0\0\0\0b", "a\\x00\\x00\\x00\\x00b\n"), ("a\0\0\0\0\0b", "a[\\x00 × 5]b\n"),
        (String(repeating: "\0", count: 24), "[\\x00 × 24]\n"),
    ])
    func printable_shortensLineEndsAndZeros(text: String, shown: String) {
        for isUnicode in [true, false] {
            var bytes: [UInt8] = []
            bytes.append(printable: Array(text.utf8), showsUnicode: isUnicode)
            #expect(String(decoding: bytes, as: UTF8.self) == (isUnicode ? shown : shown.replacing("×", with: "x")))
        }
    }

    @Test func controls_ofAConfiguration_areVisible() {
        #expect("a\u{7F}\n\u{2028}ö".withVisibleControls == "a\\u{7F}\\n\\u{2028}ö")
    }

    @Test func key_isOnePlainWord() {
        #expect("c d=\n\"ö".asKey == "c_d____" && "a.b-c_9".asKey == "a.b-c_9")
    }

    @Test func exposition_escapesWhatHasAMeaning() {
        var bytes: [UInt8] = []
        bytes.append(helpText: #"a\b "c""# + "\n")
        bytes.append(labelValue: #"a\b "c""# + "\n")
        #expect(String(decoding: bytes, as: UTF8.self) == #"a\\b "c"\na\\b \"c\"\n"#)
    }

    @Test func percentEncoding_leavesNothingThatParts() {
        #expect("a b/ö?&=".percentEncoded == "a%20b%2F%C3%B6%3F%26%3D")
    }

    @Test func percentText_isRead_orRefused() {
        #expect(PercentText.decode("a%20b+c") == "a b+c" && PercentText.decode("a+b", plusIsSpace: true) == "a b")
        #expect(PercentText.decode("%zz") == nil && PercentText.decode("%4") == nil && PercentText.decode("%ff") == nil)
    }
}
