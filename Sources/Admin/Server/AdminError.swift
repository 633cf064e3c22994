internal import Text

/// An error answer: its status, a code for programs, and a sentence for people.
struct AdminError: Error, Hashable, Sendable {
    /// The HTTP status.
    let status: Int
    /// The code, one word.
    let code: String
    /// What is wrong and what would be right.
    let message: String
    /// Further header fields, such as `Allow`.
    var fields: [String: String] = [:]

    static func badRequest(_ message: String) -> AdminError {
        AdminError(status: 400, code: "bad_request", message: message)
    }

    static func unreadable(_ mostHeaderBytes: Int) -> AdminError {
        .badRequest("the request is not valid HTTP/1.1, or its header is longer than \(mostHeaderBytes) bytes")
    }

    static let unauthorized = AdminError(
        status: 401, code: "unauthorized",
        message:
            "authentication required: send Authorization: Bearer TOKEN; the token is in admin.token_file, or was in "
            + "TAPLINE_ADMIN_TOKEN when Tapline started",
        fields: ["WWW-Authenticate": "Bearer realm=\"tapline\""])

    static func foreignHost(_ host: String?) -> AdminError {
        let what = host.map { "the Host \(quoted($0)) is not allowed" } ?? "the Host header is missing"
        return AdminError(
            status: 403, code: "foreign_host",
            message: "\(what); use an IP address, localhost or a name in admin.hosts")
    }

    static func foreignOrigin(_ origin: String) -> AdminError {
        AdminError(
            status: 403, code: "foreign_origin",
            message: "pages from \(quoted(origin)) cannot use this API; only its own page can")
    }

    static func notFound(_ message: String) -> AdminError {
        AdminError(status: 404, code: "not_found", message: message)
    }

    static func methodNotAllowed(_ method: String, _ methods: [String]) -> AdminError {
        let allowed = methods.joined(separator: ", ")
        return AdminError(
            status: 405, code: "method_not_allowed", message: "method \(quoted(method)) is not allowed; use \(allowed)",
            fields: ["Allow": allowed])
    }

    static func tooLarge(_ most: Int) -> AdminError {
        AdminError(status: 413, code: "too_large", message: "the request body is larger than \(most) bytes")
    }

    static let tooManyStreams = AdminError(
        status: 429, code: "too_many", message: "too many streams are open; close one of them, or try again later",
        fields: ["Retry-After": "1"])

    static func unavailable(_ code: String, _ message: String) -> AdminError {
        AdminError(status: 503, code: code, message: message)
    }

    /// What was asked for may be in a process that does not answer.
    static func predecessorSilent(_ silent: [Predecessors.State]) -> AdminError {
        unavailable("predecessor_silent", Predecessors.sentence(about: silent))
    }

    /// Text of the request in a message, clipped. The whole message is escaped later.
    static func quoted(_ text: String) -> String { "`\(clipped(text))`" }

    /// Clipped text of a message.
    static func clipped(_ text: String) -> String {
        text.count <= 80 ? text : "\(text.prefix(80))…"
    }

    /// `{"error": {"code", "message"}}`.
    var json: [UInt8] {
        var json = JSONText()
        json.object { json in
            json.object("error") { json in
                json.add("code", code)
                json.add("message", message)
            }
        }
        return json.bytes
    }
}
