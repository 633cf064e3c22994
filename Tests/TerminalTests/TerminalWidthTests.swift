import Testing

@testable import Terminal

struct TerminalWidthTests {
    @Test(
        arguments: [
            ("80", 80), ("1", 1), ("0", nil), ("-1", nil), ("-9223372036854775808", nil), ("9223372036854775807", nil),
            ("wide", nil), ("", nil), (nil, nil),
        ] as [(String?, Int?)])
    func columnsOfTheEnvironment_areAWidth_orNothing(variable: String?, expected: Int?) {
        #expect(TerminalWidth.parse(variable) == expected)
    }
}
