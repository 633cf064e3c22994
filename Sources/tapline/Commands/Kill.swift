import ArgumentParser
import Client
import Terminal
import Text

/// `tapline kill`: resets connections.
struct Kill: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Reset connections of a running Tapline.",
        discussion: """
            Both sides are reset, and the end record has the reason killed. `tapline connections` shows the ids. \
            Connections that could not be killed are reported, and the exit status is then 1.
            """)

    @Argument(
        help: ArgumentHelp("One or more connection ids.", valueName: "id"), completion: .connections)
    var ids: [UInt64]

    @OptionGroup var options: AdminOptions

    func run() throws {
        let client = try options.client()
        let output = ClientOutput()
        var refusals: [String] = []
        for id in ids {
            // Fetched before the kill: afterwards it would describe an ended connection.
            let connection = try? client.json(.get, "/v1/connections/\(id)")
            let answer = try client.ask(.delete, "/v1/connections/\(id)")
            switch answer.status {
            case ..<400:
                let line = connection.map(KillText.line) ?? "killed \(id)"
                if options.json {
                    try output.write(json: [try answer.json()])
                } else {
                    try output.write(lines: [line])
                }
            case 404: refusals.append("tapline: \(KillText.refusal(id, connection, output.zone))")
            // An older process may not answer; the others may have the next connection.
            case 503: refusals.append(AdminRefusal(answer).failure(client.target).message)
            default: throw AdminRefusal(answer).failure(client.target)
            }
        }
        if !refusals.isEmpty { throw CommandFailure(.failure, refusals.joined(separator: "\n")) }
    }
}
