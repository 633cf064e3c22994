import ArgumentParser
import Client

/// `tapline drain`: a running Tapline stops accepting, finishes and ends.
struct Drain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stop accepting connections, let open ones finish, then exit.",
        discussion: """
            Connections that are still open after shutdown.drain are reset. A second `drain` changes nothing; a second \
            SIGTERM or `tapline shutdown` stops at once. With --wait the command returns when Tapline has stopped, and shows \
            what it waits for until then.
            """)

    @OptionGroup var waiting: EndWaitOptions
    @OptionGroup var options: AdminOptions

    func run() throws {
        try waiting.end(options, by: "/v1/drain") { "draining: " + EndWait.fate($0) }
    }
}
