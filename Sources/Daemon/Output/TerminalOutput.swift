/// What `forward` shows differently because a person reads it on a terminal.
package struct TerminalOutput: Hashable, Sendable {
    /// The end records' output is a terminal: openings and ends are lines for a person.
    var showsConnections: Bool
    /// Standard error is a terminal: diagnostics are short sentences.
    var showsDiagnostics: Bool
    /// Times are in UTC instead of local time.
    var isUTC: Bool

    /// An output with these properties; nil where no output is a terminal.
    package init?(showsConnections: Bool, showsDiagnostics: Bool, isUTC: Bool) {
        guard showsConnections || showsDiagnostics else { return nil }
        self.showsConnections = showsConnections
        self.showsDiagnostics = showsDiagnostics
        self.isUTC = isUTC
    }
}
