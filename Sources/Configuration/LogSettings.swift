public import Text

/// `log:`.
public struct LogSettings: Hashable, Sendable {
    /// The lowest severity that is logged.
    public enum Level: String, CaseIterable, Hashable, Sendable {
        /// From the most verbose to the least.
        case trace, debug, info, notice, warning, error
    }
    /// The format of lines.
    public typealias Format = LineFormat
    /// Where end records go.
    public enum Access: Hashable, Sendable {
        /// Standard output.
        case standardOutput
        /// Standard error.
        case standardError
        /// A file, appended to; the path is absolute.
        case file(String)
        /// Nowhere.
        case off
    }

    /// `level`.
    public var level: Level
    /// `format`, of diagnostics and of end records.
    public var format: Format
    /// `access`.
    public var access: Access

    /// Settings with the configuration file's defaults.
    public init(level: Level = .info, format: Format = .text, access: Access = .standardOutput) {
        self.level = level
        self.format = format
        self.access = access
    }
}
