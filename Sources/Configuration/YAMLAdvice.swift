/// Turns libyaml's errors into advice, above all for the most common mistakes.
enum YAMLAdvice {
    /// The position of the mistake, and what to do about it.
    static func explain(_ fault: YAMLFault, in bytes: [UInt8]) -> (mark: Mark, message: String) {
        if fault.context == "while scanning an alias" {
            let text = token(at: fault.contextMark, in: bytes)
            return (fault.contextMark, "\(quoted(text)): an unquoted `*` begins a YAML alias; quote it: \"\(text)\"")
        }
        if let known = bracketedAddress(fault, in: bytes) ?? openVariable(fault, in: bytes) { return known }
        switch fault.problem {
        case "found character that cannot start any token":
            if line(fault.mark.line, in: bytes).dropFirst(fault.mark.column - 1).first == "\t" {
                return (fault.mark, "YAML cannot be indented with tabs; use spaces")
            }
            let text = token(at: fault.mark, in: bytes)
            return (fault.mark, "\(quoted(text)): unquoted text cannot begin like this in YAML; quote it: \"\(text)\"")
        case "mapping values are not allowed in this context":
            return (
                fault.mark,
                "unexpected `:`; quote the value if the `:` is part of it, or check the indentation"
            )
        case "control characters are not allowed":
            return (fault.mark, "a control character is not allowed; a configuration is plain text")
        case "invalid leading UTF-8 octet", "incomplete UTF-8 octet sequence", "invalid trailing UTF-8 octet",
            "invalid length of a UTF-8 sequence", "invalid Unicode character":
            return (fault.mark, "not UTF-8 text (\(fault.problem))")
        default:
            let context = fault.context.isEmpty ? "" : "\(fault.context) (line \(fault.contextMark.line)), "
            // A block ends where a line is indented less than it.
            let isBlock = fault.context.hasPrefix("while parsing a block")
            let advice = isBlock ? "; check the indentation of line \(fault.mark.line)" : ""
            return (fault.mark, "not YAML: \(context)\(fault.problem)\(advice)")
        }
    }

    /// `[::1]:8080` without quotes, which YAML parses as a list.
    private static func bracketedAddress(_ fault: YAMLFault, in bytes: [UInt8]) -> (mark: Mark, message: String)? {
        let characters = line(fault.mark.line, in: bytes)
        for index in unquoted(characters) where characters[index] == "[" {
            let inside = characters[(index + 1)...].prefix { $0 != "]" && $0 != "[" }
            let end = inside.endIndex
            guard inside.contains(":"), inside.allSatisfy({ $0.isHexDigit || ":.%".contains($0) || $0.isLetter }),
                end + 1 < characters.endIndex, characters[end] == "]", characters[end + 1] == ":"
            else { continue }
            let port = characters[(end + 2)...].prefix { $0.isNumber }
            let text = clipped(String(characters[index..<port.endIndex]))
            return (
                Mark(line: fault.mark.line, column: index + 1),
                "\(quoted(text)): an unquoted `[` begins a YAML list; quote it: \"\(text)\""
            )
        }
        return nil
    }

    /// `{ drain: ${D:-30s} }` without quotes: between braces or brackets YAML parses the second `{` as a mapping.
    private static func openVariable(_ fault: YAMLFault, in bytes: [UInt8]) -> (mark: Mark, message: String)? {
        guard fault.context.hasPrefix("while parsing a flow") else { return nil }
        let characters = line(fault.mark.line, in: bytes)
        for index in unquoted(characters) where characters[index...].starts(with: "${") {
            let end = characters[index...].firstIndex(of: "}") ?? characters.endIndex - 1
            let text = clipped(String(characters[index...end]))
            return (
                Mark(line: fault.mark.line, column: index + 1),
                "\(quoted(text)): inside `{ }` or `[ ]` YAML reads its `{` as a mapping; quote it: \"\(text)\""
            )
        }
        return nil
    }

    /// The indices outside of quotes: good enough for advice.
    private static func unquoted(_ line: [Character]) -> [Int] {
        var isInDouble = false
        var isInSingle = false
        return line.indices.filter { index in
            if line[index] == "\"" { isInDouble.toggle() }
            if line[index] == "'" { isInSingle.toggle() }
            return !isInDouble && !isInSingle
        }
    }

    /// The text from the mark to the next blank, comma or closing bracket.
    private static func token(at mark: Mark, in bytes: [UInt8]) -> String {
        clipped(
            String(
                line(mark.line, in: bytes).dropFirst(mark.column - 1).prefix { !$0.isWhitespace && !",]}".contains($0) }
            )
        )
    }

    /// One line of the text, without its end.
    private static func line(_ number: Int, in bytes: [UInt8]) -> [Character] {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: number, omittingEmptySubsequences: false)
        guard number >= 1, number <= lines.count else { return [] }
        // A longer line was not written by a person.
        let bytes = lines[number - 1].prefix(1024)
        return String(decoding: bytes, as: UTF8.self).filter { $0 != "\r" && $0 != "\r\n" }.map { $0 }
    }
}
