/// The admin API's bearer token in a file or in the environment.
public enum TokenText {
    /// The definition of a token, for messages.
    public static let rule = "a token is 8 to 1024 printable ASCII characters without spaces"

    /// The token without surrounding whitespace, such as a file's last newline; nil if there is nothing else. RFC 6750
    /// allows these characters; fewer than eight would be too easy to guess.
    ///
    /// Anything else is an error, never nil: an API without a token would be open to every client.
    public static func parse(_ text: String) throws(ValueError) -> String? {
        // Windows editors write a byte order mark first; it is not part of the token.
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

    /// The token in the value of the environment variable; nil when that is unset or empty.
    public static func parse(variable value: String?) throws(ValueError) -> String? {
        do {
            return try parse(value ?? "")
        } catch {
            // The message does not contain the value: more people read logs than may know secrets.
            throw ValueError(
                "`\(AdminSettings.tokenVariable)` in the environment is not a token; \(rule); "
                    + "set a valid one, or unset it")
        }
    }
}
