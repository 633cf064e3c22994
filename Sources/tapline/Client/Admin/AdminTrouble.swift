import Configuration
import Glibc
import Sockets
import Terminal

/// What an admin API refused, in its own words.
struct AdminRefusal: Hashable, Sendable {
    let status: Int
    /// One word for programs; empty where it was not the admin API that answered.
    let code: String
    /// For a person.
    let message: String

    /// Of an answer whose status is 400 or more.
    init(_ answer: AdminClient.Answer) {
        status = answer.status
        let error = (try? answer.json())?["error"] ?? .null
        code = error["code"].text ?? ""
        message = error["message"].text ?? ""
    }

    /// What the command says, and ends with.
    func failure(_ target: AdminTarget) -> CommandFailure {
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
            // Each line starts with path:line:column, as editors expect it.
            return CommandFailure(.configuration, message.harmlessLines)
        default:
            return CommandFailure(.failure, "tapline: \(message.harmlessLines)")
        }
    }
}

extension HTTPTrouble {
    /// What the command says, and ends with.
    func failure(_ target: AdminTarget) -> CommandFailure {
        let place = "\(target.address) (\(target.origin.words))"
        switch self {
        case .connect(let errno):
            switch errno.code {
            case ECONNREFUSED, ENOENT:
                return CommandFailure(
                    .system,
                    "tapline: nothing listens at \(place): \(errno)\ntapline: is tapline running, and was it started "
                        + "with --admin, or with `admin:` in its configuration? \(target.origin.advice)")
            case EACCES, EPERM:
                return CommandFailure(
                    .system,
                    "tapline: cannot connect to \(place): \(errno)\ntapline: only the user that tapline runs as, and "
                        + "root, may open its admin socket")
            default:
                return CommandFailure(.system, "tapline: cannot connect to \(place): \(errno) (\(errno.name))")
            }
        case .name: return CommandFailure(.system, "tapline: no address is known for \(place)")
        case .timeout: return CommandFailure(.system, "tapline: no answer in time from \(place)")
        case .cut: return CommandFailure(.system, "tapline: \(place) ended the connection before its answer did")
        case .notHTTP:
            return CommandFailure(
                .failure,
                "tapline: whoever answers at \(place) does not speak HTTP; is that the admin API's address, and not a "
                    + "relay's?")
        case .tooLarge: return CommandFailure(.failure, "tapline: the answer is too large; say --limit")
        }
    }
}

extension AdminTarget.Origin {
    /// What named the address.
    var words: String {
        switch self {
        case .option: "from --admin"
        case .environment: "from \(AdminTarget.variable)"
        case .configuration(let path): "from \(path)"
        case .byDefault: "the default"
        }
    }

    /// What to do when nothing is there.
    var advice: String {
        switch self {
        case .option, .environment: "Its first lines say where the admin API listens."
        case .configuration, .byDefault: "--admin ADDRESS or \(AdminTarget.variable) names another."
        }
    }
}
