import Testing

@testable import Terminal

struct TerminalTraitsTests {
    @Test(
        arguments: [
            (true, [:], true, false),
            (true, ["NO_COLOR": "1"], false, false),
            (true, ["NO_COLOR": ""], true, false),
            (true, ["TERM": "dumb"], false, false),
            (false, ["FORCE_COLOR": "1"], true, false),
            (false, ["CLICOLOR_FORCE": "1", "TERM": "dumb"], true, false),
            (false, ["CLICOLOR_FORCE": "0"], false, false),
            (true, ["FORCE_COLOR": "0"], false, false),
            (true, ["FORCE_COLOR": ""], true, false),
            (true, ["FORCE_COLOR": "1", "NO_COLOR": "1"], false, false),
            (false, ["FORCE_COLOR": "0", "CLICOLOR_FORCE": "1"], false, false),
            (false, ["LANG": "de_AT.UTF-8"], false, true),
            (false, ["LANG": "C.utf8"], false, true),
            (false, ["LANG": "en_US.UTF-8", "LC_ALL": "C"], false, false),
            (false, ["LANG": "C", "LC_CTYPE": "C.UTF-8", "LC_ALL": ""], false, true),
        ] as [(Bool, [String: String], Bool, Bool)])
    func traits_followTheTerminalAndTheEnvironment(
        isTerminal: Bool, environment: [String: String], color: Bool, unicode: Bool
    ) {
        let traits = TerminalTraits(isTerminal: isTerminal) { environment[$0] }
        #expect(traits == TerminalTraits(showsColor: color, showsUnicode: unicode))
    }
}
