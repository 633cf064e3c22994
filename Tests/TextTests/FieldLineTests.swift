import TestSupport
import Testing

@testable import Text

struct FieldLineTests {
    @Test(
        arguments: [
            // value, in text, in JSON
            (nil, "null", "null"),
            ("null", #""null""#, #""null""#),
            ("", #""""#, #""""#),
            ("web", "web", #""web""#),
            ("127.0.0.1:80", "127.0.0.1:80", #""127.0.0.1:80""#),
            ("[::1]:80", "[::1]:80", #""[::1]:80""#),
            ("unix:", "unix:", #""unix:""#),
            ("two words", #""two words""#, #""two words""#),
            ("a=b", #""a=b""#, #""a=b""#),
            (#"say "hi""#, #""say \"hi\"""#, #""say \"hi\"""#),
            (#"back\slash"#, #""back\\slash""#, #""back\\slash""#),
            ("a\nb\r\tc", #""a\nb\r\tc""#, #""a\nb\r\tc""#),
            ("\u{0}\u{1B}[2J\u{7F}", #""\u0000\u001b[2J\u007f""#, #""\u0000\u001b[2J\u007f""#),
            ("\u{9B}31m", #""\u009b31m""#, #""\u009b31m""#),
            ("\u{2028}\u{202E}\u{2066}", #""\u2028\u202e\u2066""#, #""\u2028\u202e\u2066""#),
            ("Größe 😀", #""Größe 😀""#, #""Größe 😀""#),
            (String(decoding: [0x66, 0xFF, 0xC3], as: UTF8.self), "\"f\u{FFFD}\u{FFFD}\"", "\"f\u{FFFD}\u{FFFD}\""),
        ] as [(String?, String, String)])
    func aValue_isQuotedAndEscaped(value: String?, inText: String, inJSON: String) {
        #expect(line(.text) { $0.add("key", value, to: &$1) } == "key=\(inText)\n")
        #expect(line(.json) { $0.add("key", value, to: &$1) } == "{\"key\":\(inJSON)}\n")
    }

    @Test(
        arguments: [
            (0, "0"), (7, "7"), (-12, "-12"), (UInt64.max, "18446744073709551615"), (Int64.min, "-9223372036854775808"),
        ] as [(any BinaryInteger & Sendable, String)])
    func aNumber_isWrittenInFull(number: any BinaryInteger & Sendable, expected: String) {
        #expect(line(.json) { $0.add("n", number: number, to: &$1) } == "{\"n\":\(expected)}\n")
        #expect(line(.text) { $0.add("n", number: number, to: &$1) } == "n=\(expected)\n")
    }

    @Test func severalFields_keepTheirOrder() {
        let add: (inout FieldLine, inout [UInt8]) -> Void = { line, bytes in
            line.add("b", "x", to: &bytes)
            line.add("a", number: 1, to: &bytes)
            line.add("time", Timestamp(nanoseconds: 0), to: &bytes)
        }
        #expect(line(.text, add) == "b=x a=1 time=1970-01-01T00:00:00.000Z\n")
        #expect(line(.json, add) == #"{"b":"x","a":1,"time":"1970-01-01T00:00:00.000Z"}"# + "\n")
    }

    private func line(
        _ format: LineFormat, _ add: (inout FieldLine, inout [UInt8]) -> Void
    ) -> String {
        text { bytes in
            var line = FieldLine(format, in: &bytes)
            add(&line, &bytes)
            line.end(in: &bytes)
        }
    }
}
