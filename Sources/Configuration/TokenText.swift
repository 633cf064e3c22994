/// The admin API's bearer token as it is written: in a file, or in the environment.
public enum TokenText {
    /// What a token is, for messages.
    public static let rule = "a token is 8 to 1024 printable ASCII characters without spaces"

    /// The token without the whitespace around it, such as a file's last newline; nil where there is nothing else.
    /// RFC 6750 allows these characters, and more than a few are needed to be worth anything.
    ///
    /// What is there and cannot be one is an error, never nothing: an API without a token would be open to every client.
    public static func parse(_ text: String) throws(ValueError) -> String? {
        // A byte order mark, which Windows editors put before a file's text, is no part of it either.
        func isAround(_ character: Character) -> Bool { character.isWhitespace || character == "\u{FEFF}" }
        guard let first = text.firstIndex(where: { !isAround($0) }),
            let last = text.lastIndex(where: { !isAround($0) })
        else { return nil }
        let token = text[first...last].utf8
        guard (8...1024).contains(token.count), token.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw ValueError(rule)
        }
        return String(text[first...last])
    }

    /// The token of the environment, by the value of its variable; nil where that is unset or empty.
    public static func parse(variable value: String?) throws(ValueError) -> String? {
        do {
            return try parse(value ?? "")
        } catch {
            // The value stays out of the message: logs are read by more people than secrets are.
            throw ValueError(
                "`\(AdminSettings.tokenVariable)` in the environment holds no token; \(rule); set a good one, or none")
        }
    }
}
