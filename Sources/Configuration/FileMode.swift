/// File modes in a configuration: three octal digits, with an optional prefix `0` or `0o`.
enum FileMode {
    static func parse(_ text: String) throws(ValueError) -> UInt16 {
        let digits =
            text.hasPrefix("0o")
            ? text.dropFirst(2) : text.count == 4 && text.first == "0" ? text.dropFirst() : text[...]
        guard digits.count == 3, digits.utf8.allSatisfy({ (0x30...0x37).contains($0) }),
            let mode = UInt16(digits, radix: 8)
        else {
            throw ValueError("\(quoted(text)) is not a mode; write three octal digits after a 0, such as 0660")
        }
        return mode
    }

    /// The mode in a configuration's notation: `0660`.
    static func text(of mode: UInt16) -> String {
        let digits = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}
