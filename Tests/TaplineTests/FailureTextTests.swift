import Terminal
import Testing

@testable import tapline

struct FailureTextTests {
    private static let plain = TerminalTraits(showsColor: false, showsUnicode: true)
    private static let colored = TerminalTraits(showsColor: true, showsUnicode: true)

    @Test(
        arguments: [
            (CommandFailure(.failure, "tapline: no"), "\u{1B}[1;31mtapline:\u{1B}[0m no"),
            (
                CommandFailure(.usage, "tapline: no\nSee 'tapline why --help'."),
                "\u{1B}[1;31mtapline:\u{1B}[0m no\nSee 'tapline why --help'."
            ),
            (
                CommandFailure(.configuration, "t.yaml:1:2: first\nt.yaml: unreadable: x"),
                "\u{1B}[1;31mt.yaml:1:2:\u{1B}[0m first\n\u{1B}[1;31mt.yaml:\u{1B}[0m unreadable: x"
            ),
            // A list, or advice, is no error.
            (CommandFailure(.usage, "  --admin unix:/a   process 1: b"), "  --admin unix:/a   process 1: b"),
        ])
    func source_isRed_whereTheTerminalHasColors(failure: CommandFailure, text: String) {
        #expect(FailureText.painted(failure, Self.colored) == text)
        #expect(FailureText.painted(failure, Self.plain) == failure.message)
    }
}
