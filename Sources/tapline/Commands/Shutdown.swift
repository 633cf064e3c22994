import ArgumentParser
import Client
import Text

/// `tapline shutdown`: the same as SIGTERM, for a running tapline.
struct Shutdown: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "End a running tapline as SIGTERM does; a second time at once.",
        discussion: """
            It accepts no more, lets what is open finish within shutdown.drain, and ends. Once that has begun, a further \
            `tapline shutdown` resets what is open and ends it at once, as a second signal does. It needs no signal and \
            no shell: so a job's last step can end the sidecar beside it.
            """)

    @OptionGroup var waiting: EndWaitOptions
    @OptionGroup var options: AdminOptions

    func run() throws {
        try waiting.end(options, by: "/v1/shutdown") { answer in
            guard answer["now"] == .boolean(true) else { return "stopping: " + EndWait.fate(answer) }
            let open = Quantity.number(answer["open_connections"].count ?? 0, "connection")
            return "stopping now: what is open is reset, \(open)"
        }
    }
}
