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
                ? "it requires a token; pass --token-file FILE or set \(AdminSettings.tokenVariable)"
                : "it does not accept this token; the right one is in its `admin.token_file`, or was in its "
                    + "\(AdminSettings.tokenVariable) when it started"
            return CommandFailure(.failure, "tapline: \(target.address) refused the command: \(advice)")
        case (403, "foreign_host"):
            return CommandFailure(
                .failure,
                "tapline: \(target.address) does not accept the host name \(target.address.host.harmless); use its IP "
                    + "address, or add the name to its `admin.hosts`")
        case (405, "method_not_allowed"):
            return CommandFailure(
                .failure,
                "tapline: the Tapline at \(target.address) does not know this command; it has another version")
        case (_, ""):
            return CommandFailure(
                .failure,
                "tapline: the program at \(target.address) does not answer like Tapline; is that the admin API's "
                    + "address, or a relay's?")
        case (422, "rejected"):
            // Each line starts with path:line:column, which editors recognise.
            return CommandFailure(.configuration, message.harmlessLines)
        default:
            return CommandFailure(.failure, "tapline: \(message.harmlessLines)")
        }
    }
}
