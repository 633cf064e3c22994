import Terminal

/// The lines of a failure for standard error. Pure.
enum FailureText {
    /// With the part that says who complains, or where a mistake is, in red: `tapline:`, `path:line:column:`.
    static func painted(_ failure: CommandFailure, _ traits: TerminalTraits) -> String {
        guard traits.showsColor else { return failure.message }
        let lines = failure.message.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let isOwn = line.hasPrefix("tapline: ")
            guard isOwn || failure.status == .configuration, let colon = line.firstRange(of: ": ") else {
                return String(line)
            }
            return "\u{1B}[1;31m\(line[..<colon.lowerBound]):\u{1B}[0m\(line[colon.lowerBound...].dropFirst())"
        }
        return lines.joined(separator: "\n")
    }
}
