import Foundation
import Synchronization

/// A headless Chromium that is driven by commands: `Peers/browser.py`.
final class Browser: Sendable {
    /// The result of a command.
    private struct Answer<Value: Decodable>: Decodable {
        var error: String?
        var value: Value?
    }

    /// Every request, and every error, warning and policy violation of the page.
    struct Seen: Decodable, Sendable {
        var requests: [String]
        var messages: [String]
    }

    /// The answer of a command without a result.
    private struct Nothing: Decodable {}

    /// A command as a line of JSON, without nil values.
    private struct Command: Encodable {
        var id = 0
        let `do`: String
        var url: String?
        var script: String?
        var selector: String?
        var key: String?
        var text: String?
        var pattern: String?
        var path: String?
        var width: Int?
        var height: Int?
        var dark: Bool?
    }

    private let program: Program
    private let commands = Mutex(0)

    fileprivate init(_ program: Program) {
        self.program = program
    }

    private func tell<Value: Decodable>(_ command: Command, _: Value.Type = Nothing.self) async throws -> Value? {
        var command = command
        command.id = commands.withLock { number in
            number += 1
            return number
        }
        program.write(String(decoding: try JSONEncoder().encode(command), as: UTF8.self) + "\n")
        let line = try await program.output.line(containing: "{\"id\": \(command.id),", within: .seconds(120))
        let answer = try JSONDecoder().decode(Answer<Value>.self, from: Data(line.utf8))
        if let error = answer.error { throw Failure("\(command.do): \(error)") }
        return answer.value
    }

    /// Opens a page and waits until it is loaded.
    func open(_ url: String) async throws {
        _ = try await tell(Command(do: "open", url: url))
    }

    /// Sets the size of the window, and the system's preference of light or dark.
    func view(_ width: Int, _ height: Int = 900, isDark: Bool = false) async throws {
        _ = try await tell(Command(do: "view", width: width, height: height, dark: isDark))
    }

    /// Waits until a script's value is true.
    func wait(_ script: String) async throws {
        _ = try await tell(Command(do: "wait", script: script))
    }

    /// A script's value as text.
    func text(_ script: String) async throws -> String {
        try await tell(Command(do: "evaluate", script: "String(\(script))"), String.self) ?? ""
    }

    /// Clicks the pointer on an element; an element that covers it gets the click instead.
    func click(_ selector: String) async throws {
        _ = try await tell(Command(do: "click", selector: selector))
    }

    /// Presses a key, by its name in the DOM.
    func press(_ key: String) async throws {
        _ = try await tell(Command(do: "press", key: key))
    }

    /// Types text into the focused element.
    func type(_ text: String) async throws {
        _ = try await tell(Command(do: "type", text: text))
    }

    /// From now on requests that match are answered with a file.
    func answer(_ pattern: String, with path: String) async throws {
        _ = try await tell(Command(do: "answer", pattern: pattern, path: path))
    }

    /// Writes a screenshot to a PNG file.
    func screenshot(_ path: String) async throws {
        _ = try await tell(Command(do: "screenshot", path: path))
    }

    /// All requests and messages so far.
    func seen() async throws -> Seen {
        try await tell(Command(do: "seen"), Seen.self) ?? Seen(requests: [], messages: [])
    }
}

extension Scene {
    /// Starts a browser.
    func browser() async throws -> Browser {
        let words = Self.peer("browser.py") + [Programs.path(Browser.program) ?? Browser.program, path("browser")]
        let program = try start(words)
        _ = try await program.output.line(containing: "ready")
        return Browser(program)
    }
}

extension Browser {
    /// Chromium without a window's libraries.
    static let program = "chromium-headless-shell"
}
