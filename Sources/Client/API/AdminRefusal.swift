import Configuration
package import Terminal
import Text

/// An error answer of an admin API.
package struct AdminRefusal: Hashable, Sendable {
    let status: Int
    /// The error's code for programs; empty where the answer is not of an admin API.
    let code: String
    /// For a person.
    let message: String

    /// Of an answer with a status of 400 or more.
    package init(_ answer: AdminClient.Answer) {
        status = answer.status
        let error = (try? answer.json())?["error"] ?? .null
        code = error["code"].text ?? ""
        message = error["message"].text ?? ""
    }

    /// The command's message and exit status.
    package func failure(_ target: AdminTarget) -> CommandFailure {
        switch (status, code) {
        case (401, _):
            let advice =
                target.token == nil
                ? "it wants a token; give it with --token-file FILE or in \(AdminSettings.tokenVariable)"
                : "it does not take this token; its own stands in its `admin.token_file` or its "
                    + AdminSettings.tokenVariable
            return CommandFailure(.failure, "tapline: \(target.address) refuses: \(advice)")
        case (403, "foreign_host"):
            return CommandFailure(
                .failure,
                "tapline: \(target.address) does not take itself for \(target.address.host.harmless); name its IP "
                    + "address, or add the name to its `admin.hosts`")
        case (_, ""):
            return CommandFailure(
                .failure,
                "tapline: \(target.address) answers with status \(status), and not as tapline does; is that the admin "
                    + "API's address, and not a relay's?")
        case (422, "rejected"):
            // Each line starts with path:line:column, which editors recognise.
            return CommandFailure(.configuration, message.harmlessLines)
        default:
            return CommandFailure(.failure, "tapline: \(message.harmlessLines)")
        }
    }
}
