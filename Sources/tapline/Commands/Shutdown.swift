import ArgumentParser
import Client
import Text

/// `tapline shutdown`: the same as SIGTERM, for a running Tapline.
struct Shutdown: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shut down gracefully (like SIGTERM). Run it again to stop immediately.",
        discussion: """
            It stops accepting connections, lets open ones finish within shutdown.drain, and exits. A second \
            `tapline shutdown` resets them and exits at once, as a second signal does. It needs neither a signal nor a \
            shell, so the last step of a job can stop its sidecar.
            """)

    @OptionGroup var waiting: EndWaitOptions
    @OptionGroup var options: AdminOptions

    func run() throws {
        try waiting.end(options, by: "/v1/shutdown") { answer in
            guard answer["now"] == .boolean(true) else { return "stopping: " + EndWait.fate(answer) }
            let open = Quantity.number(answer["open_connections"].count ?? 0, "connection")
            return "stopping now: open connections are reset, \(open)"
        }
    }
}
