import ArgumentParser
import Sockets

/// `tapline drain`: ends a running tapline in order.
struct Drain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have a running tapline accept no more, let what is open finish, and end.",
        discussion: """
            As SIGTERM does: what is still open after shutdown.drain is reset. With --wait the command ends when tapline \
            has ended, and shows until then what it waits for.
            """)

    /// How often it is asked for what is left, milliseconds.
    private static let pause: Int32 = 250

    @Flag(help: "Wait until it has ended.")
    var wait = false

    @OptionGroup var options: AdminOptions

    func run() throws {
        let client = try options.client()
        let output = ClientOutput()
        let answer = try client.json(.post, "/v1/drain")
        let open = answer["open_connections"].count ?? 0
        if options.json {
            try output.write(json: [answer])
        } else {
            let bound = Words.duration(answer["within_ms"].count)
            try output.write(lines: [
                "draining: no more clients are accepted; "
                    + (open == 0
                        ? "nothing is open" : "\(Words.number(open, "connection")) may finish within \(bound)")
            ])
        }
        if wait { try waitForEnd(client, output, open) }
    }

    private func waitForEnd(_ client: AdminClient, _ output: ClientOutput, _ open: UInt64) throws {
        let interruption = try Interruption()
        var told = open
        while true {
            // Only its end keeps a tapline that drains from answering; there is no other way to hear of it.
            guard let status = try? client.json(.get, "/v1/status", deadline: 5000) else { break }
            let left = status["open_connections"].count ?? 0
            if left != told, !options.json { try output.write(lines: ["\(Words.number(left, "connection")) left"]) }
            told = left
            if interruption.wait(milliseconds: Self.pause), interruption.take() {
                throw CommandFailure(.failure, "tapline: not waited for; it goes on draining")
            }
        }
        if !options.json { try output.write(lines: ["tapline has ended"]) }
    }
}
