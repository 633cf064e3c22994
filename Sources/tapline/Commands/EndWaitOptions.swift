import ArgumentParser
import Client
import Text

/// The options of the commands that can wait for the end of a running Tapline.
struct EndWaitOptions: ParsableArguments {
    @Flag(help: "Wait until it has stopped.")
    var wait = false

    @Option(
        help: ArgumentHelp(
            "With --wait: maximum time; after it the exit status is 1. Default: Tapline's own limit and "
                + "\(DurationText.text(of: EndWait.allowance)) more.", valueName: "duration"),
        transform: parseDuration)
    var timeout: Duration?

    func validate() throws {
        if timeout != nil, !wait { throw ValidationError("--timeout limits --wait; add --wait") }
    }

    /// Requests the end of a tapline, prints the answer, and waits for its end with `--wait`.
    func end(_ options: AdminOptions, by path: String, words: (JSONValue) -> String) throws {
        let client = try options.client()
        let output = ClientOutput()
        let end = wait ? try EndWait(client) : nil
        let answer = try client.json(.post, path)
        if options.json {
            try output.write(json: [answer])
        } else {
            try output.write(lines: [words(answer)])
        }
        try end?.run(timeout, after: answer, output, isForPrograms: options.json)
    }
}
