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
        .badRequest("this cannot be read as HTTP/1.1, or its header has more than \(mostHeaderBytes) bytes")
    }

    static let unauthorized = AdminError(
        status: 401, code: "unauthorized",
        message: "this needs the token: Authorization: Bearer …; it stands in admin.token_file, or is what tapline's "
            + "TAPLINE_ADMIN_TOKEN was when it started",
        fields: ["WWW-Authenticate": "Bearer realm=\"tapline\""])

    static func foreignHost(_ host: String?) -> AdminError {
        let what = host.map { "the Host \(quoted($0)) is" } ?? "without a Host this is"
        return AdminError(
            status: 403, code: "foreign_host",
            message: "\(what) refused: good are IP addresses, localhost and the names in admin.hosts")
    }

    static func foreignOrigin(_ origin: String) -> AdminError {
        AdminError(
            status: 403, code: "foreign_origin",
            message: "a page of \(quoted(origin)) may not use this API; only its own page may")
    }

    static func notFound(_ message: String) -> AdminError {
        AdminError(status: 404, code: "not_found", message: message)
    }

    static func methodNotAllowed(_ method: String, _ methods: [String]) -> AdminError {
        let allowed = methods.joined(separator: ", ")
        return AdminError(
            status: 405, code: "method_not_allowed", message: "\(quoted(method)) is not known here; \(allowed) is",
            fields: ["Allow": allowed])
    }

    static func tooLarge(_ most: Int) -> AdminError {
        AdminError(status: 413, code: "too_large", message: "a body here has at most \(most) bytes")
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
