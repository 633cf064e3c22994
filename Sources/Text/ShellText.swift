/// Words of a command line for people to copy. Pure.
public enum ShellText {
    /// A word as a POSIX shell reads it back: in single quotes where it has other characters than plain ones.
    public static func word(_ word: String) -> String {
        let isPlain = word.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_=:./,@%+[]".contains($0)) }
        // Brackets are a pattern, which shells leave alone where it matches no file.
        return isPlain && !word.isEmpty ? word : "'" + word.replacing("'", with: "'\\''") + "'"
    }
}
