@testable import Configuration

/// Reads a text as `t.yaml` in `/etc/t`; `lines` are the mistakes without the path.
func read(
    _ text: String, environment: [String: String] = [:]
) throws(ConfigurationErrors) -> Configuration {
    let text = ConfigurationText(path: "t.yaml", directory: "/etc/t", bytes: Array(text.utf8))
    return try Configuration.parse(text, environment: environment).configuration
}

/// The mistakes in a text as `line:column: message`; empty when there are none.
func mistakes(_ text: String, environment: [String: String] = [:]) -> [String] {
    mistakes(Array(text.utf8), environment: environment)
}

/// The mistakes in bytes, which need not be valid text.
func mistakes(_ bytes: [UInt8], environment: [String: String] = [:]) -> [String] {
    do {
        let text = ConfigurationText(path: "t.yaml", directory: "/etc/t", bytes: bytes)
        _ = try Configuration.parse(text, environment: environment)
        return []
    } catch {
        return error.problems.map { String($0.description.dropFirst("t.yaml:".count)) }
    }
}

/// A configuration of one relay, `web`, from 8080 to example.com:80, with further lines for the relay.
func relay(_ lines: String...) -> String {
    (["relays:", "  - name: web", "    listen: 8080", "    upstream: example.com:80"] + lines.map { "    " + $0 })
        .joined(separator: "\n") + "\n"
}

/// The same with other text for `listen` and `upstream`.
func relay(listen: String, upstream: String = "example.com:80") -> String {
    "relays:\n  - name: web\n    listen: \(listen)\n    upstream: \(upstream)\n"
}
