import Testing

@testable import Daemon

/// How messages name the command of `--exec`.
@Suite struct CommandNameTests {
    @Test(arguments: [
        ("npm start", "npm start"), ("  npm start \n", "npm start "), ("cd app\nnpm start", "cd app…"),
        (String(repeating: "x", count: 60), String(repeating: "x", count: 60)),
        (String(repeating: "x", count: 61), String(repeating: "x", count: 60) + "…"),
    ])
    func name_isOneShortLine(command: String, name: String) {
        let found = UpstreamCommand.name(of: command)
        #expect(found == name)
    }
}
