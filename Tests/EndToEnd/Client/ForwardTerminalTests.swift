import Foundation
import Testing

/// `tapline forward` on a terminal, which tmux provides.
@Suite(.needs("python3", "tmux"))
struct ForwardTerminalTests {
    private static let variables = ["LC_ALL": "C.UTF-8", "TZ": "UTC", "NO_COLOR": "1", "PS1": "$ "]

    /// Starts it in a shell, and waits for its first line.
    private func start(
        _ scene: Scene, _ words: String, variables: [String: String] = variables
    ) async throws -> (terminal: Terminal, address: String) {
        let terminal = try await scene.terminal(columns: 80, rows: 24, variables: variables)
        try await terminal.type("cd \(scene.folder); clear; \(TaplineProcess.binary) forward \(words)", "Enter")
        let lines = try await terminal.await("the first line") { $0.contains { $0.hasPrefix("Forwarding ") } }
        let line = try #require(lines.first { $0.hasPrefix("Forwarding ") })
        return (terminal, String(line.split(separator: " ")[1]))
    }

    @Test func terminal_showsOpeningsEndsFailuresAndASummary() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let (terminal, address) = try await start(scene, "127.0.0.1:0:\(upstream)")
            try await puppet.connect("client", to: address)
            try await terminal.await("the opening") { $0.contains { $0.contains("#1   open    127.0.0.1:") } }
            try await puppet.accept("server", from: "upstream")
            try await puppet.send("client", "question")
            try await puppet.receive("server", count: 8)
            try await puppet.close("server")
            _ = try await puppet.receiveToEnd("client")
            try await puppet.close("client")
            try await terminal.await("the end") {
                $0.contains { $0.contains("#1   closed  by upstream  ↑ 8 B       ↓ 0 B ") }
            }
            try await puppet.close("upstream")
            try await puppet.connect("refused", to: address)
            let port = upstream.split(separator: ":")[1]
            try await terminal.await("the failure") { lines in
                lines.contains { $0.contains("#2   FAILED  \(upstream) refused the connection: nothing") }
                    && lines.contains { $0.contains("listening on port \(port)") }
            }
            try await terminal.type("C-c")
            let lines = try await terminal.await("the summary") {
                $0.contains("2 connections, 1 failed, ↑ 8 B ↓ 0 B")
            }
            #expect(lines.contains("Forwarding \(address) → \(upstream)    (Ctrl-C to stop)"))
            #expect(!lines.contains { $0.contains("listens on") || $0.contains("time=") })
        }
    }

    /// The words of the FAILED lines, not the reason's code.
    @Test func heldClient_isExplainedInWords() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = "127.0.0.1:\(try scene.freePort())"
            let (terminal, address) = try await start(scene, "127.0.0.1:0:\(upstream) --wait 10m")
            try await puppet.connect("client", to: address)
            let lines = try await terminal.await("the wait") { $0.joined().contains("clients are held for up to 10m") }
            let hasTime = /\d\d:\d\d:\d\d  127\.0\.0\.1:\d+ refused the connection: .*/
            #expect(lines.contains { $0.wholeMatch(of: hasTime) != nil }, "\(lines)")
            #expect(lines.joined().contains("\(upstream) refused the connection: nothing is listening on port "))
            #expect(!lines.joined().contains("connect_refused"))
            for _ in 0..<2 { try await terminal.type("C-c") }
        }
    }

    /// Traffic and a summary on one terminal: the summary comes last, and no line of it is broken in a word.
    @Test func print_onATerminal_endsWithTheSummary() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let (terminal, address) = try await start(
                scene, "--utc --print text 127.0.0.1:0:\(upstream)",
                variables: Self.variables.merging(["TZ": "EST5"]) { $1 })
            try await puppet.connect("client", to: address)
            try await puppet.accept("server", from: "upstream")
            try await puppet.send("client", "question")
            try await puppet.receive("server", count: 8)
            try await puppet.close("server")
            _ = try await puppet.receiveToEnd("client")
            try await puppet.close("client")
            try await terminal.await("the end") {
                $0.contains { $0.contains("Z #1 closed by upstream, up 8 B, down 0 B") }
            }
            try await terminal.type("C-c")
            let lines = try await terminal.await("the summary") { $0.contains("1 connection, ↑ 8 B ↓ 0 B") }
            let summary = lines.firstIndex(of: "1 connection, ↑ 8 B ↓ 0 B")
            let closed = lines.firstIndex { $0.contains("#1 closed by upstream") }
            #expect(try #require(closed) < #require(summary))
            #expect(lines.contains { $0.wholeMatch(of: /\d{4}-\d\d-\d\dT.*Z #1 client → upstream, 8 bytes/) != nil })
            #expect(!lines.contains { $0.contains("upstream_closed") })
        }
    }

    @Test func command_hasTheTimeOfItsStartAndItsEnd() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = "127.0.0.1:\(try scene.freePort())"
            let (terminal, address) = try await start(scene, "127.0.0.1:0:\(upstream) --wait 10m --exec 'exit 3'")
            try await puppet.connect("client", to: address)
            let start = /\d\d:\d\d:\d\d  started: .*/
            let end = /\d\d:\d\d:\d\d  exit 3 \(pid \d+\) .*/
            let failure = /\d\d:\d\d:\d\d  error: the --exec command ended 3 times .*/
            try await terminal.await("the lines") { lines in
                lines.contains { $0.wholeMatch(of: start) != nil } && lines.contains { $0.wholeMatch(of: end) != nil }
                    && lines.contains { $0.wholeMatch(of: failure) != nil }
            }
            try await terminal.type("C-c")
        }
    }

    @Test func invalidRequest_toAProxy_isDescribed() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let (terminal, address) = try await start(scene, "socks:127.0.0.1:0")
            let lines = try await terminal.await("the destination") { $0.joined().contains("(Ctrl-C to stop)") }
            #expect(
                lines.contains("Forwarding \(address) → what each client requests (SOCKS 5, HTTP CONNECT)"), "\(lines)")
            try await puppet.connect("client", to: address)
            try await puppet.send("client", "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            try await terminal.await("the failure") { lines in
                lines.contains { $0.contains("FAILED  the client's request uses the HTTP method GET; only") }
                    && lines.contains { $0.contains("CONNECT is supported") }
            }
            try await terminal.type("C-c")
        }
    }

    @Test func openConnection_atCtrlC_isWaitedForAWhile() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let (terminal, address) = try await start(scene, "127.0.0.1:0:\(try await puppet.listen("upstream"))")
            try await puppet.connect("client", to: address)
            try await puppet.accept("server", from: "upstream")
            try await terminal.type("C-c")
            let wait = "1 open, waiting up to 2s; press Ctrl-C again to stop now"
            try await terminal.await("the wait") { $0.contains(wait) }
            try await terminal.type("C-c")
            try await terminal.await("the end") { lines in
                lines.contains { $0.contains("#1   ended   still open when Tapline stopped") }
                    && lines.contains { $0.hasPrefix("1 connection, ") }
            }
        }
    }

    /// A log on a terminal is the same as elsewhere.
    @Test func logFormat_onATerminal_writesEndRecords() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let terminal = try await scene.terminal(columns: 120, rows: 24, variables: Self.variables)
            let upstream = try await puppet.listen("upstream")
            try await terminal.type(
                "\(TaplineProcess.binary) forward --log-format text 127.0.0.1:0:\(upstream)", "Enter")
            let lines = try await terminal.await("the listener") { $0.contains { $0.contains(" listens on ") } }
            let line = try #require(lines.first { $0.contains(" listens on ") })
            let address = try #require(line.firstMatch(of: /listens on ([\d.:]+),/)).1
            try await puppet.connect("client", to: String(address))
            try await puppet.accept("server", from: "upstream")
            try await puppet.reset("client")
            try await terminal.await("the record") { $0.contains { $0.hasPrefix("time=") } }
            try await terminal.type("C-c")
        }
    }

    @Test func recording_isAnnouncedAndSummedUp() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            try FileManager.default.createDirectory(atPath: scene.path("there"), withIntermediateDirectories: false)
            let targets = [
                ("talk.pcapng", "Recording to talk.pcapng", "talk.pcapng"),
                ("new/", "Recording to new/ (new directory)", "new/"),
                // An existing folder needs no slash.
                ("there", "Recording to there/", "there/"),
            ]
            for (target, announcement, shown) in targets {
                let (terminal, address) = try await start(scene, "--record \(target) 127.0.0.1:0:\(upstream)")
                try await terminal.await("the announcement") { $0.contains(announcement) }
                try await puppet.connect("client", to: address)
                try await puppet.accept("server", from: "upstream")
                try await puppet.send("client", "question")
                try await puppet.receive("server", count: 8)
                try await puppet.reset("client")
                try await terminal.await("the end") { $0.contains { $0.contains("#1   FAILED") } }
                try await terminal.type("C-c")
                try await terminal.await("the sum") {
                    $0.contains("1 connection, 8 B recorded; see: tapline show \(shown)")
                }
                try await terminal.type("exit", "Enter")
            }
        }
    }

    @Test func localAuthority_isAnnounced() async throws {
        try await scene { scene in
            for new in [" (new)", ""] {
                let (terminal, _) = try await start(
                    scene, "--tls-cert auto tls:127.0.0.1:0=127.0.0.1:1",
                    variables: Self.variables.merging(["XDG_STATE_HOME": scene.path("s")]) { $1 })
                let lines = try await terminal.await("the announcement") {
                    $0.contains("Local CA: \(scene.path("s"))/tapline/ca/ca.pem\(new)")
                }
                #expect(lines.contains("To trust it: curl --cacert FILE; for other programs, run: tapline ca"))
                #expect(!lines.joined().contains("certificates are issued"))
                try await terminal.type("C-c")
                try await terminal.type("exit", "Enter")
            }
        }
    }

    @Test func recording_toATerminal_isRefused() async throws {
        try await scene { scene in
            let terminal = try await scene.terminal(columns: 200, rows: 24, variables: Self.variables)
            try await terminal.type("\(TaplineProcess.binary) forward --record - 1:a:1; echo ended $?", "Enter")
            let lines = try await terminal.await("the refusal") { $0.contains("ended 64") }
            #expect(lines.contains { $0.hasPrefix("tapline: refusing to write binary pcapng to a terminal; pipe it") })
        }
    }
}
