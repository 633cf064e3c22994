import Text

/// A position in a text, counted from one as in editors; columns count characters.
public struct Mark: Hashable, Comparable, Sendable {
    /// The line, from 1.
    public let line: Int
    /// The column, from 1.
    public let column: Int

    /// A position.
    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    static let start = Mark(line: 1, column: 1)

    /// Whether the left position is earlier in the text.
    public static func < (left: Mark, right: Mark) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

/// One mistake in a configuration.
public struct ConfigurationProblem: Hashable, Sendable, CustomStringConvertible {
    /// The file's path as given to Tapline.
    public let path: String
    /// The position in it; nil when the file could not be read.
    public let mark: Mark?
    /// What is wrong and what would be right.
    public let message: String

    /// The line, from 1; nil when the file could not be read.
    public var line: Int? { mark?.line }
    /// The column, from 1; nil when the file could not be read.
    public var column: Int? { mark?.column }

    /// A mistake.
    public init(path: String, mark: Mark?, message: String) {
        self.path = path
        self.mark = mark
        self.message = message
    }

    /// `path:line:column: message`.
    public var description: String {
        guard let mark else { return "\(path): \(message)" }
        return "\(path):\(mark.line):\(mark.column): \(message)"
    }
}

/// All mistakes in a configuration, by file and position.
public struct ConfigurationErrors: Error, Hashable, Sendable, CustomStringConvertible {
    /// At least one.
    public let problems: [ConfigurationProblem]
    /// The files of certificates and keys that the configuration names, absolute paths: when one of them changes, the
    /// mistakes may be gone.
    public internal(set) var certificateFiles: [String] = []

    /// Sorts the problems by position. Problems at one position keep their order, and files are ordered by their first
    /// problem.
    public init(_ problems: [ConfigurationProblem]) {
        var ranks: [String: Int] = [:]
        for problem in problems where ranks[problem.path] == nil { ranks[problem.path] = ranks.count }
        let placed = problems.enumerated().map { offset, problem in
            (problem, (ranks[problem.path] ?? 0, problem.mark ?? .start, offset))
        }
        self.problems = placed.sorted { $0.1 < $1.1 }.map(\.0)
    }

    /// One line for each problem.
    public var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}

/// Collects mistakes while a configuration is read. Confined to the call that reads it.
final class Problems {
    /// The largest number that is reported: a bound for hostile files.
    static let most = 100

    /// The mistakes in all files of one configuration.
    private final class All {
        var found: [(file: Int, problem: ConfigurationProblem)] = []
        var files = 1
        var omitted = 0
        var certificateFiles: [String] = []
    }

    /// The file's path as given to Tapline.
    let path: String
    private let file: Int
    private let all: All

    init(path: String) {
        self.path = path
        file = 0
        all = All()
    }

    private init(path: String, after other: Problems) {
        self.path = path
        all = other.all
        file = all.files
        all.files += 1
    }

    /// The collection for another file of the same configuration, whose mistakes are reported after this one's.
    func following(_ path: String) -> Problems {
        Problems(path: path, after: self)
    }

    /// Adds a mistake.
    func report(_ mark: Mark?, _ message: String) {
        if all.found.count < Self.most {
            all.found.append((file, ConfigurationProblem(path: path, mark: mark, message: message)))
        } else {
            all.omitted += 1
        }
    }

    /// Notes a file of certificates or keys that is read.
    func note(certificateFile path: String) {
        all.certificateFiles.append(path)
    }

    /// The number of mistakes in all files.
    var count: Int { all.found.count + all.omitted }

    /// The mistakes in all files; nil without any.
    var errors: ConfigurationErrors? {
        // In the order of the files, not of their first mistakes: some are found only when every file has been read.
        let found = all.found.enumerated()
            .sorted { ($0.element.file, $0.offset) < ($1.element.file, $1.offset) }
            .map(\.element.problem)
        var errors = ConfigurationErrors(found)
        guard let last = errors.problems.last else { return nil }
        if all.omitted > 0 {
            let note = ConfigurationProblem(
                path: last.path, mark: last.mark, message: "… and \(all.omitted) more errors")
            errors = ConfigurationErrors(found + [note])
        }
        errors.certificateFiles = all.certificateFiles
        return errors
    }
}

/// Why a text is not a valid value: one sentence without a position, which the caller adds.
public struct ValueError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong and what would be right.
    public let message: String

    /// An error with a message.
    public init(_ message: String) {
        self.message = message
    }

    /// The message.
    public var description: String { message }
}

/// The text in backticks, for a message: clipped, and with control characters made visible, so that no configuration
/// can write to a terminal or break a log into lines.
func quoted(_ text: some StringProtocol) -> String {
    let shown = String(String.UnicodeScalarView(text.unicodeScalars.prefix(80))).withVisibleControls
    return text.unicodeScalars.dropFirst(80).isEmpty ? "`\(shown)`" : "`\(shown)…`"
}
