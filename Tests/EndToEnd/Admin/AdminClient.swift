import Foundation

/// Sends requests to a Tapline's admin API with curl.
struct AdminClient: Sendable {
    /// An answer.
    struct Answer: Sendable {
        var status: Int
        var body: String

        /// The body's JSON objects and lists.
        var json: [String: JSON] {
            get throws { try JSONDecoder().decode([String: JSON].self, from: Data(body.utf8)) }
        }
        /// The code of an error; nil for other answers.
        var code: String? { try? json["error"]?["code"]?.text }
    }

    let scene: Scene
    /// `127.0.0.1:9180`, or `unix:/path`.
    let address: String
    /// The token to send; nil for none.
    var token: String?

    /// Sends a request. A JSON answer is validated against the API's document.
    @discardableResult
    func ask(
        _ method: String = "GET", _ path: String, body: String? = nil, headers: [String] = []
    ) async throws -> Answer {
        var words = ["curl", "-s", "--max-time", "60", "-X", method, "-w", "\n%{http_code} %{content_type}"]
        for header in headers + (token.map { ["Authorization: Bearer \($0)"] } ?? []) { words += ["-H", header] }
        if let body { words += ["--data-binary", body] }
        let said = try await scene.run(words + target(path))
        guard let end = said.lastIndex(of: "\n") else { throw Failure("\(method) \(path): \(said)") }
        let facts = said[end...].dropFirst().split(separator: " ")
        guard let status = facts.first.flatMap({ Int($0) }) else { throw Failure("\(method) \(path): \(said)") }
        let answer = Answer(status: status, body: String(said[..<end]))
        if facts.count > 1, facts[1] == "application/json" { try await check(answer, method, path) }
        return answer
    }

    /// The words at the end of a curl command.
    func target(_ path: String) -> [String] {
        guard address.hasPrefix("unix:") else { return ["--path-as-is", "http://\(address)\(path)"] }
        return ["--unix-socket", String(address.dropFirst(5)), "--path-as-is", "http://localhost\(path)"]
    }

    private func check(_ answer: Answer, _ method: String, _ path: String) async throws {
        // Unknown paths and methods are not in the document.
        guard ![404, 405, 401, 403].contains(answer.status) else {
            guard answer.code != nil else { throw Failure("\(method) \(path): no error in \(answer.body)") }
            return
        }
        let file = try scene.file("answer-\(UUID().uuidString).json", answer.body)
        let script = "exec \"$0\" -B \"$1\" \"$2\" \"$3\" \"$4\" \"$5\" < \"$6\""
        try await scene.run([
            "sh", "-c", script, Programs.path("python3") ?? "python3", "\(Scene.peers)/openapi.py",
            Self.document, method, path, "\(answer.status)", file,
        ])
    }

    private static let document = URL(fileURLWithPath: Scene.peers).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("config/openapi.yaml").path

    /// Repeats a request until the answer satisfies a condition.
    @discardableResult
    func await<Value>(_ what: String, _ path: String, _ find: (Answer) throws -> Value?) async throws -> Value {
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            let answer = try await ask("GET", path)
            if let value = try find(answer) { return value }
            guard ContinuousClock.now < deadline else { throw Failure("\(what): \(answer.body)") }
        }
    }

    /// Waits until it is healthy: if a worker gets no CPU time for two seconds, the answer is an error.
    func awaitHealth() async throws {
        try await self.await("it is healthy", "/healthz") { $0.status == 200 ? true : nil }
    }
}

/// A value of JSON.
enum JSON: Decodable, Equatable, Sendable {
    case null
    case flag(Bool)
    case number(Double)
    case text(String)
    case list([JSON])
    case object([String: JSON])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let flag = try? container.decode(Bool.self) {
            self = .flag(flag)
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else if let text = try? container.decode(String.self) {
            self = .text(text)
        } else if let list = try? container.decode([JSON].self) {
            self = .list(list)
        } else {
            self = .object(try container.decode([String: JSON].self))
        }
    }

    var text: String? { if case .text(let text) = self { text } else { nil } }
    var number: Int? { if case .number(let number) = self { Int(number) } else { nil } }
    var list: [JSON] { if case .list(let list) = self { list } else { [] } }
    subscript(key: String) -> JSON? { if case .object(let object) = self { object[key] } else { nil } }
}

extension Scene {
    /// A client of the API that a Tapline announced.
    func admin(of tapline: TaplineProcess, token: String? = nil) async throws -> AdminClient {
        let line = try await tapline.program.errors.line(containing: "the admin API answers on ")
        let announced = try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
        return AdminClient(scene: self, address: announced["admin"] ?? "", token: token)
    }
}
