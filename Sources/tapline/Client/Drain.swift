import ArgumentParser

/// `tapline drain`: ends a running tapline in order.
struct Drain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have a running tapline accept no more, let what is open finish, and end.",
        discussion: """
            What is still open after shutdown.drain is reset. To drain a second time changes nothing, where a second \
            SIGTERM or `tapline shutdown` ends it at once. With --wait the command ends when tapline has ended, and shows \
            until then what it waits for.
            """)

    @OptionGroup var waiting: EndWaitOptions
    @OptionGroup var options: AdminOptions

    func run() throws {
        let client = try options.client()
        let output = ClientOutput()
        let wait = waiting.wait ? try EndWait(client) : nil
        let answer = try client.json(.post, "/v1/drain")
        if options.json {
            try output.write(json: [answer])
        } else {
            try output.write(lines: ["draining: " + Self.words(answer)])
        }
        try wait?.run(waiting, after: answer, output, isForPrograms: options.json)
    }

    /// What happens to what is open.
    static func words(_ answer: JSONValue) -> String {
        let open = answer["open_connections"].count ?? 0
        let fate =
            open == 0
            ? "nothing is open"
            : "\(Words.number(open, "connection")) may finish within \(Words.duration(answer["within_ms"].count))"
        return "no more clients are accepted; \(fate)"
    }
}
