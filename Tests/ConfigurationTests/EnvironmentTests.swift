import Testing

@testable import Configuration

@Suite struct EnvironmentTests {
    private let environment = EnvironmentText(values: ["SET": "value", "EMPTY": "", "NESTED": "${SET}"])

    @Test(arguments: [
        ("", ""), ("plain", "plain"), ("${SET}", "value"), ("a${SET}b${SET}", "avaluebvalue"),
        ("${SET:-other}", "value"),
        ("${UNSET:-other}", "other"), ("${EMPTY:-other}", "other"), ("${UNSET:-}", ""), ("${EMPTY}", ""),
        ("${UNSET:-a:-b}", "a:-b"), ("$$", "$"), ("$${SET}", "${SET}"), ("${NESTED}", "${SET}"), ("a}b{", "a}b{"),
    ])
    func variables_areReplaced(_ text: String, _ expected: String) {
        var messages: [String] = []
        #expect(environment.expand(text) { messages.append($0) } == expected)
        #expect(messages.isEmpty)
    }

    @Test(arguments: [
        ("${UNSET}", ["environment variable `UNSET` is not set; set it, or add a default: `${UNSET:-…}`"]),
        (
            "${A}${SET}${B}",
            [
                "environment variable `A` is not set; set it, or add a default: `${A:-…}`",
                "environment variable `B` is not set; set it, or add a default: `${B:-…}`",
            ]
        ),
        ("$", ["a single `$`; write `${NAME}` for an environment variable, `$$` for a dollar sign"]),
        ("$SET", ["a single `$`; write `${NAME}` for an environment variable, `$$` for a dollar sign"]),
        ("a${SET", ["`${SET` has no closing `}`"]),
        ("${}", ["`${}`: write `${NAME}` or `${NAME:-default}`"]),
        ("${1A}", ["`${1A}`: write `${NAME}` or `${NAME:-default}`"]),
        ("${SET-x}", ["`${SET-x}`: write `${NAME}` or `${NAME:-default}`"]),
        ("${Ä}", ["`${Ä}`: write `${NAME}` or `${NAME:-default}`"]),
        ("${A:-${SET}}", ["`${A:-${SET}`: a default cannot contain `$`"]),
    ])
    func mistakes_areReported(_ text: String, _ expected: [String]) {
        var messages: [String] = []
        #expect(environment.expand(text) { messages.append($0) } == nil)
        #expect(messages == expected)
    }

    @Test func values_areJudgedAfterTheyWerePutIn() throws {
        let text = relay(listen: "${PORT}", upstream: "${HOST:-example.com}:80")
        let configuration = try read(text, environment: ["PORT": "8080"])
        #expect(configuration == (try read(relay())))
        #expect(
            mistakes(text, environment: ["PORT": "http"]) == ["3:13: `listen`: `http` has no port; write http:PORT"])
        #expect(
            mistakes(text) == [
                "3:13: `listen`: environment variable `PORT` is not set; set it, or add a default: `${PORT:-…}`"
            ])
    }

    @Test func values_cannotAddStructure() {
        let found = mistakes(relay(listen: "${PORT}"), environment: ["PORT": "80\n    max_connections: 1"])
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("3:13: `listen`: ") == true)
    }
}
