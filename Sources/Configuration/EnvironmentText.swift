/// Expands `${NAME}` and `${NAME:-default}` with environment variables; `$$` is a dollar.
///
/// As in the shell, `:-` also applies to a variable that is set but empty. Expanded values are not expanded again. Any other
/// `$` is a mistake: as plain text, `$PORT` would go unnoticed.
struct EnvironmentText {
    /// The environment, as passed by the caller.
    let values: [String: String]

    /// The text with its variables expanded. Every mistake is reported, and then the result is nil.
    func expand(_ text: String, report: (String) -> Void) -> String? {
        guard text.utf8.contains(UInt8(ascii: "$")) else { return text }
        var result = ""
        var isGood = true
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[dollar...].dropFirst()
            if rest.first == "$" {
                result += "$"
                rest = rest.dropFirst()
            } else if rest.first == "{" {
                guard let end = rest.firstIndex(of: "}") else {
                    report("\(quoted("$" + rest)) has no closing `}`")
                    return nil
                }
                let inside = rest[..<end].dropFirst()
                rest = rest[end...].dropFirst()
                do {
                    result += try value(of: inside)
                } catch {
                    report(error.message)
                    isGood = false
                }
            } else {
                report("a single `$`; write `${NAME}` for an environment variable, `$$` for a dollar sign")
                isGood = false
            }
        }
        return isGood ? result + rest : nil
    }

    private func value(of inside: Substring) throws(ValueError) -> String {
        let name = inside.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        let fallback = inside[name.endIndex...]
        guard let first = name.first, !first.isNumber, fallback.isEmpty || fallback.hasPrefix(":-") else {
            throw ValueError("\(quoted("${\(inside)}")): write `${NAME}` or `${NAME:-default}`")
        }
        guard !fallback.contains("$") else {
            throw ValueError("\(quoted("${\(inside)}")): a default cannot contain `$`")
        }
        if let value = values[String(name)], fallback.isEmpty || !value.isEmpty { return value }
        guard !fallback.isEmpty else {
            throw ValueError(
                "environment variable \(quoted(name)) is not set; set it, or add a default: `${\(clipped(name)):-…}`")
        }
        return String(fallback.dropFirst(2))
    }
}
