import ArgumentParser
import Client
import Terminal
import Text

/// `tapline reload`: reloads the configuration of a running Tapline.
struct ReloadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Make a running Tapline reload its configuration.",
        discussion: """
            Prints what changed. A configuration with an error changes nothing: every error is reported as \
            path:line:column: message on standard error, and the exit status is 78.
            """)

    /// A reload may look up names and bind listeners.
    private static let timeout: Int64 = 60_000

    @OptionGroup var options: AdminOptions

    func run() throws {
        let client = try options.client()
        let output = ClientOutput()
        let answer = try client.ask(.post, "/v1/reload", deadline: Self.timeout)
        guard answer.status < 400 else {
            if options.json, answer.status == 422 {
                try output.write(json: [try answer.json()])
                throw CommandFailure(.configuration, "")
            }
            throw AdminRefusal(answer).failure(client.target)
        }
        let result = try answer.json()
        if options.json { return try output.write(json: [result]) }
        try output.write(lines: DifferenceText.lines(of: result))
    }
}
