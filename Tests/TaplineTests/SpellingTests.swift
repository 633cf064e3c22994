import ArgumentParser
import Configuration
import Terminal
import Testing

@testable import tapline

/// The messages for common misspellings, and the spellings that are accepted.
struct SpellingTests {
    /// The words of a command line, the message, and the proposed command lines.
    private static let refused: [(words: [String], message: String, proposals: [String])] = [
        (
            ["forward", "8080:http://localhost:8000"], "`8080:http://localhost:8000`: Tapline forwards TCP, not URLs",
            ["tapline forward 8080:localhost:8000"]
        ),
        (
            ["forward", "http://localhost:8000"], "`http://localhost:8000`: Tapline forwards TCP, not URLs",
            ["tapline forward 8080:localhost:8000"]
        ),
        (
            ["forward", "8080:http://localhost:8000/api?x=1"],
            "`8080:http://localhost:8000/api?x=1`: Tapline forwards TCP, not URLs",
            ["tapline forward 8080:localhost:8000"]
        ),
        (
            ["forward", "https://example.com"], "`https://example.com`: Tapline forwards TCP, not URLs",
            ["tapline forward 8443=tls:example.com:443"]
        ),
        (
            ["forward", "8080", "localhost:8000"], "`8080` `localhost:8000`: a SPEC is one word",
            ["tapline forward 8080:localhost:8000"]
        ),
        (["forward", "8080", "8000"], "`8080` `8000`: a SPEC is one word", ["tapline forward 8080:localhost:8000"]),
        (["forward", "8080:8000"], "`8080:8000`: no host to forward to", ["tapline forward 8080:localhost:8000"]),
        (
            ["forward", "localhost:8000"], "`localhost:8000`: no port to listen on",
            ["tapline forward 8080:localhost:8000"]
        ),
        (
            ["forward", "localhost:8000:8080"],
            "`localhost:8000:8080`: the port to listen on comes first, or the host to forward to is missing",
            ["tapline forward 8080:localhost:8000", "tapline forward localhost:8000:localhost:8080"]
        ),
        (
            ["forward", ":8080:localhost:8000"],
            "`:8080:localhost:8000`: an empty address can mean loopback or every interface",
            ["tapline forward 8080:localhost:8000", "tapline forward '*:8080:localhost:8000'"]
        ),
        (
            ["forward", ":8080", "localhost:8000"], "`:8080` `localhost:8000`: a SPEC is one word",
            ["tapline forward 8080:localhost:8000", "tapline forward '*:8080:localhost:8000'"]
        ),
        (
            ["forward", "--listen", "8080", "--upstream", "localhost:8000"],
            "`forward` takes a SPEC instead of `--listen`: where to listen and where to forward, in one word",
            ["tapline forward 8080:localhost:8000"]
        ),
        (
            ["forward", "--to=localhost:8000", "--from=8080", "--record", "x.pcapng"],
            "`forward` takes a SPEC instead of `--to`: where to listen and where to forward, in one word",
            ["tapline forward 8080:localhost:8000 --record x.pcapng"]
        ),
        (
            ["forward", "--log-level", "debug", "8080:localhost:8000"],
            "unknown option `--log-level`; `forward` has no log level: it prints every connection, and with `--print` its bytes",
            ["tapline forward 8080:localhost:8000"]
        ),
        (
            ["forward", "-v", "8080:localhost:8000"],
            "unknown option `-v`; `forward` has no log level: it prints every connection, and with `--print` its bytes",
            ["tapline forward 8080:localhost:8000"]
        ),
        (
            ["forward", "-w", "x.pcapng", "8080:localhost:8000"], "unknown option `-w`; recording is `--record`",
            ["tapline forward --record x.pcapng 8080:localhost:8000"]
        ),
        (
            ["forward", "-R", "8080:localhost:80"],
            "unknown option `-R`; Tapline listens only on the machine that it runs on, so run it on the other one", []
        ),
        (["8080:localhost:8000"], "`8080:localhost:8000` is not a command", ["tapline forward 8080:localhost:8000"]),
        (["8080", "localhost:8000"], "`8080` is not a command", ["tapline forward 8080:localhost:8000"]),
        (["-L", "8080:localhost:8000"], "`-L` is not a command", ["tapline forward 8080:localhost:8000"]),
        (["froward", "8080:localhost:8000"], "`froward` is not a command", ["tapline forward 8080:localhost:8000"]),
        (["shwo", "x.pcapng"], "`shwo` is not a command", ["tapline show x.pcapng"]),
        (["logs"], "`logs` is not a command", ["tapline tail"]),
        (["foo"], "`foo` is not a command", []),
        (["help", "whi"], "`whi` is not a command", ["tapline help why"]),
        (["help", "LOGS"], "`LOGS` is not a command", ["tapline help tail"]),
        (["help", "foo"], "`foo` is not a command", []),
        (["kil", "3"], "`kil` is not a command", ["tapline kill 3"]),
        (["forward", "--recrod", "x", "8080:a:80"], "unknown option `--recrod`; did you mean `--record`?", []),
        (["forward", "--recrod=x"], "unknown option `--recrod`; did you mean `--record`?", []),
        (["forward"], "no SPEC given; write PORT:HOST:HOSTPORT, such as 8080:example.com:80", []),
        (
            ["forward", "8080"],
            "`8080`: no destination given; write [BIND:]PORT:HOST:HOSTPORT, such as 8080:example.com:80", []
        ),
        (
            ["forward", "8080:localhost"],
            "`8080:localhost`: the host or the port of the destination is missing; write [BIND:]PORT:HOST:HOSTPORT, such as 8080:example.com:80",
            []
        ),
        (
            ["forward", "tcp:8080:localhost:8000"], "`tcp:8080:localhost:8000`: a SPEC has no `tcp:`",
            ["tapline forward 8080:localhost:8000"]
        ),
        (
            ["forward", "tcp://8080:localhost:8000"], "`tcp://8080:localhost:8000`: Tapline forwards TCP, not URLs",
            ["tapline forward 8080:localhost:8000"]
        ),
        (
            ["forward", "TCP-LISTEN:8080,fork", "TCP:localhost:8000"],
            "`TCP-LISTEN:8080,fork` `TCP:localhost:8000`: a SPEC is one word", ["tapline forward 8080:localhost:8000"]
        ),
        (
            ["forward", "8080: localhost:8000"], "`8080: localhost:8000`: a SPEC has no spaces",
            ["tapline forward 8080:localhost:8000"]
        ),
        (
            ["forward", "8080\tlocalhost:8000"], "`8080\\tlocalhost:8000`: a SPEC has no spaces",
            ["tapline forward 8080:localhost:8000"]
        ),
        (
            ["forward", "8080->localhost:8000"], "`8080->localhost:8000`: a SPEC has colons between its parts",
            ["tapline forward 8080:localhost:8000"]
        ),
        (
            ["forward", "8080：localhost：8000"], "`8080：localhost：8000`: a SPEC has colons between its parts",
            ["tapline forward 8080:localhost:8000"]
        ),
        (
            ["forward", "8080:localhost:8000/"], "`8080:localhost:8000/`: Tapline forwards TCP, and a SPEC has no path",
            ["tapline forward 8080:localhost:8000"]
        ),
        (
            ["forward", "8080:::1:80"], "`8080:::1:80`: an IPv6 address is written in brackets",
            ["tapline forward 8080:[::1]:80"]
        ),
        (
            ["forward", "::1:8080:localhost:80"], "`::1:8080:localhost:80`: an IPv6 address is written in brackets",
            ["tapline forward [::1]:8080:localhost:80"]
        ),
        (
            ["forward", "8080:localhost:70000"],
            "`8080:localhost:70000`: `70000` is not a port; a port is a number from 0 to 65535", []
        ),
        (
            ["forward", "70000:localhost:80"],
            "`70000:localhost:80`: `70000` is not a port; a port is a number from 0 to 65535", []
        ),
        (["forward", "-1:localhost:80"], "`-1:localhost:80`: a port is a number from 0 to 65535", []),
        (
            ["forward", "8080:localhost:-1"],
            "`8080:localhost:-1`: `-1` is not a port; a port is a number from 0 to 65535", []
        ),
        (
            ["forward", "8080:localhost:0"],
            "`8080:localhost:0`: `localhost:0`: cannot connect to port 0; an upstream's port is from 1 to 65535",
            []
        ),
        (
            ["forward", "8080:localhost:http"], "`8080:localhost:http`: a port is a number",
            ["tapline forward 8080:localhost:80"]
        ),
        (
            ["forward", "8080:/run/app.sock"], "`8080:/run/app.sock`: a Unix socket is written with `=`",
            ["tapline forward 8080=unix:/run/app.sock"]
        ),
        (
            ["forward", "8080:unix:/run/app.sock"], "`8080:unix:/run/app.sock`: a Unix socket is written with `=`",
            ["tapline forward 8080=unix:/run/app.sock"]
        ),
        (
            ["forward", "8080:a:80", "8080:b:81"], "`8080:b:81`: port 8080 on localhost is already used by `8080:a:80`",
            []
        ),
        (
            ["forward", "8080:localhost:8080"],
            "`8080:localhost:8080`: `localhost:8080` is a loop: `8080:localhost:8080` listens on `127.0.0.1:8080`", []
        ),
        (
            ["forward", "--record", "talk.pcapng", "8080", "localhost:8000"],
            "`8080` `localhost:8000`: a SPEC is one word", ["tapline forward --record talk.pcapng 8080:localhost:8000"]
        ),
        (
            ["forward", "--print", "octal", "1:a:1"],
            "the value `octal` is invalid for `--print <view>`; write one of `text` or `hex`", []
        ),
        (
            ["forward", "--idle-timeout", "5", "1:a:1"],
            "the value `5` is invalid for `--idle-timeout <duration>`: `5` has no unit; write 5ms, 5s, 5m, 5h", []
        ),
        (
            ["forward", "--log-format", "xml", "1:a:1"],
            "the value `xml` is invalid for `--log-format <format>`: write text or json", []
        ),
        (["forward", "1:a:1", "-x"], "unknown option `-x`", []),
        (["forward", "--idle-timeout"], "missing value for `--idle-timeout <duration>`", []),
        (
            ["why", "x"],
            "`x` is neither a connection's id nor a recording; write tapline why ID, or tapline why FILE ID", []
        ),
        (["forward", "socks"], "`socks`: the port is missing; write socks:PORT, such as socks:1080", []),
        (["forward", "socks:"], "`socks:`: the port is missing; write socks:PORT, such as socks:1080", []),
        (
            ["forward", "original-destination"],
            "`original-destination`: the port is missing; write PORT:original-destination, such as "
                + "15001:original-destination",
            []
        ),
        (
            ["forward", "--upstream-proxy", "http://proxy .example:80", "1:a:1"],
            "--upstream-proxy: a proxy's URL has no spaces; write socks5://HOST:PORT or http://HOST:PORT", []
        ),
        (
            ["forward", "--upstream-proxy", " http://u:secret@proxy:80", "1:a:1"],
            "--upstream-proxy: a proxy's URL has no spaces; write socks5://HOST:PORT or http://HOST:PORT", []
        ),
        (
            ["kill", "--relay", "web"],
            "`kill` takes ids, and `--relay` is an option of `connections`, which lists the ids",
            ["tapline connections --relay web"]
        ),
        (
            ["kill", "-r=web"], "`kill` takes ids, and `-r=web` is an option of `connections`, which lists the ids",
            ["tapline connections -r=web"]
        ),
        (
            ["forward", "-p", "8080", "--to", "localhost:8000"],
            "`forward` takes a SPEC instead of `-p`: where to listen and where to forward, in one word",
            ["tapline forward 8080:localhost:8000"]
        ),
        (
            ["forward", "-p", "hex", "-v", "8080:localhost:8000"],
            "unknown option `-v`; `forward` has no log level: it prints every connection, and with `--print` its bytes",
            ["tapline forward -p hex 8080:localhost:8000"]
        ),
    ]

    @Test(arguments: refused)
    func spelling_isAnswered_withTheRightCommand(words: [String], message: String, proposals: [String]) throws {
        let error = try #require(throws: (any Error).self) { try run(words) }
        let failure = try #require(Tapline.failure(error, words, columns: nil))
        var lines = ["tapline: \(message)"]
        for proposal in proposals { lines.append((lines.count == 1 ? "Did you mean: " : "         or: ") + proposal) }
        let isCommand = words[0] != "help" && CommandWords.commands.contains(words[0])
        lines.append("See 'tapline \(isCommand ? words[0] + " " : "")--help'.")
        #expect(failure == CommandFailure(.usage, lines.joined(separator: "\n")))
        #expect(lines.count <= 4)
    }

    /// The proposed command lines work.
    @Test(arguments: refused)
    func proposal_isAccepted(words: [String], message: String, proposals: [String]) throws {
        for line in proposals where line.hasPrefix("tapline forward") && !line.contains("SPEC") {
            let proposed = line.split(separator: " ").dropFirst().map { String($0.filter { $0 != "'" }) }
            #expect(throws: Never.self, "\(line)") { try run(proposed) }
        }
    }

    @Test(arguments: [
        (["forward", "8080:localhost:8000"], "localhost:8080 localhost:8000"),
        (["forward", "-L", "8080:localhost:8000"], "localhost:8080 localhost:8000"),
        (["forward", "-L8080:localhost:8000"], "localhost:8080 localhost:8000"),
        (["forward", "8080:my_host:80"], "localhost:8080 my_host:80"),
        (["forward", "*:8080:localhost:8000"], "*:8080 localhost:8000"),
        (["forward", "8080=localhost:8000"], "localhost:8080 localhost:8000"),
        (["forward", "--admin", "off", "8080:localhost:8000"], "localhost:8080 localhost:8000"),
    ])
    func spelling_isAccepted(words: [String], relay: String) throws {
        let forward = try #require(try run(words) as? Forward)
        let relays = try forward.relays()
        #expect(relays.map { "\($0.listen[0]) \($0.upstream)" } == [relay])
    }

    @Test(arguments: ["version", "-V", "-v"]) func version_isAcceptedInEverySpelling(word: String) {
        #expect(CommandWords.normalized([word]) == ["--version"])
    }

    @Test func message_onATerminal_breaksBetweenWords_andTheCommandDoesNot() {
        let error = UsageError(
            "one two three four five six", proposals: [["forward", "8080:localhost:8000"]], command: "forward")
        #expect(
            error.text(columns: 20) == """
                tapline: one two
                three four five six
                Did you mean: tapline forward 8080:localhost:8000
                See 'tapline forward --help'.
                """)
    }

    @Test func failure_onATerminal_breaksBetweenWords_andItsListDoesNot() throws {
        let failure = Tapline.failure(
            CommandFailure(.system, "one two three\n  --admin unix:/run/1.sock"), [], columns: 10)
        #expect(failure == CommandFailure(.system, "one two\nthree\n  --admin unix:/run/1.sock"))
    }

    @Test func proposal_canBePastedIntoAShell() {
        #expect(CommandWords.shellText(["forward", "*:8080:a:80"]) == "tapline forward '*:8080:a:80'")
        #expect(CommandWords.shellText(["show", "it's"]) == "tapline show 'it'\\''s'")
    }

    private func run(_ words: [String]) throws -> any ParsableCommand {
        let words = CommandWords.normalized(words)
        let command = try Tapline.parsed(words)
        if let forward = command as? Forward { try forward.check(in: words) }
        return command
    }
}
