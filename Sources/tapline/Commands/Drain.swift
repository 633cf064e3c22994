import ArgumentParser
import Client

/// `tapline drain`: a running tapline stops accepting, finishes and ends.
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
        try waiting.end(options, by: "/v1/drain") { "draining: " + EndWait.fate($0) }
    }
}
