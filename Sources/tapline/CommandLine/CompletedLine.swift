import ArgumentParser

/// The command line that a shell completes, as the words that the command would get. Pure.
struct CompletedLine {
    /// The words after `tapline`. The word that is being completed is a placeholder, which is valid as an id, a name
    /// and a file.
    let words: [String]

    /// The placeholder.
    static let placeholder = "1"

    /// The line of a shell: its words from `tapline` on, and the place of the word that is being completed. `splits`:
    /// the shell is bash, which divides words at `:`, `=` and `@` (COMP_WORDBREAKS). Nil where a word contains an
    /// expansion, whose value only the shell knows: a command must not be asked of another address than the one that is
    /// meant.
    init?(_ line: [String], completing index: Int, splits: Bool, home: String?) {
        var joined: [(text: String, isCompleted: Bool)] = []
        var joinsNext = false
        for (place, word) in line.enumerated() {
            let isCompleted = place == index
            let isBreak = splits && !word.isEmpty && word.allSatisfy { ":=@".contains($0) }
            if let last = joined.last, isBreak || joinsNext {
                joined[joined.count - 1] = (last.text + word, last.isCompleted || isCompleted)
            } else {
                joined.append((word, isCompleted))
            }
            joinsNext = isBreak
        }
        var words: [String] = []
        for (text, isCompleted) in joined.dropFirst() {
            if isCompleted {
                // `--relay=we`: the option is known already.
                let option = text.hasPrefix("--") ? text.firstIndex(of: "=").map { text[...$0] } : nil
                words.append((option ?? "") + Self.placeholder)
            } else {
                guard let word = Self.unquoted(text, home: home) else { return nil }
                words.append(word)
            }
        }
        self.words = words
    }

    /// A word without its quotes; nil where the shell would expand it, or where a quote is open.
    static func unquoted(_ word: String, home: String?) -> String? {
        var result = ""
        var quote: Character?
        var rest = word[...]
        if rest == "~" || rest.hasPrefix("~/") {
            guard let home else { return nil }
            result = home
            rest = rest.dropFirst()
        } else if rest.hasPrefix("~") {
            return nil
        }
        while let character = rest.popFirst() {
            switch (character, quote) {
            case ("'", "'"), ("\"", "\""): quote = nil
            case ("'", nil), ("\"", nil): quote = character
            case (_, "'"): result.append(character)
            case ("$", _), ("`", _), ("(", nil), ("{", nil), ("<", nil), (">", nil): return nil
            case ("\\", nil):
                guard let next = rest.popFirst() else { return nil }
                result.append(next)
            case ("\\", "\""):
                // Between double quotes it escapes these characters only.
                if let next = rest.first, "\"\\$`".contains(next) {
                    result.append(rest.removeFirst())
                } else {
                    result.append(character)
                }
            default: result.append(character)
            }
        }
        return quote == nil ? result : nil
    }
}
