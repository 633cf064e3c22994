import Text

/// A place in a text, counted from one as editors do; columns count characters.
public struct Mark: Hashable, Comparable, Sendable {
    /// The line, from 1.
    public let line: Int
    /// The column, from 1.
    public let column: Int

    /// A place.
    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    static let start = Mark(line: 1, column: 1)

    /// Earlier in the text.
    public static func < (left: Mark, right: Mark) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

/// One mistake in a configuration.
public struct ConfigurationProblem: Hashable, Sendable, CustomStringConvertible {
    /// The file, as it was named to Tapline.
    public let path: String
    /// Where in it; nil when the file could not be read at all.
    public let mark: Mark?
    /// What is wrong and what would be right.
    public let message: String

    /// The line, from 1; nil when the file could not be read at all.
    public var line: Int? { mark?.line }
    /// The column, from 1; nil when the file could not be read at all.
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

/// Every mistake that was found in a configuration, file by file and in the order of each text.
public struct ConfigurationErrors: Error, Hashable, Sendable, CustomStringConvertible {
    /// At least one.
    public let problems: [ConfigurationProblem]

    /// Puts the problems in the order of the text; those of one place stay as they are, and files come in the order of
    /// their first one.
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
    /// Enough to work on, and a bound on what a hostile file can make us say.
    static let most = 100

    /// Those of all files of one configuration.
    private final class All {
        var found: [(file: Int, problem: ConfigurationProblem)] = []
        var files = 1
        var omitted = 0
    }

    /// The file, as it was named.
    let path: String
    private let file: Int
    private let all: All

    init(path: String) {
        self.path = path
        file = 0
        all = All()
    }

    private init(path: String, beside other: Problems) {
        self.path = path
        all = other.all
        file = all.files
        all.files += 1
    }

    /// For the mistakes of another file of the same configuration, which come after those of this one.
    func beside(_ path: String) -> Problems {
        Problems(path: path, beside: self)
    }

    /// Notes a mistake.
    func report(_ mark: Mark?, _ message: String) {
        if all.found.count < Self.most {
            all.found.append((file, ConfigurationProblem(path: path, mark: mark, message: message)))
        } else {
            all.omitted += 1
        }
    }

    /// How many mistakes there are, in whatever file.
    var count: Int { all.found.count + all.omitted }

    /// What was found in every file; nil when nothing was.
    var errors: ConfigurationErrors? {
        // In the order of the files, not of their first mistakes: some are found when every file has been read.
        let found = all.found.enumerated()
            .sorted { ($0.element.file, $0.offset) < ($1.element.file, $1.offset) }
            .map(\.element.problem)
        guard let last = ConfigurationErrors(found).problems.last else { return nil }
        guard all.omitted > 0 else { return ConfigurationErrors(found) }
        let note = ConfigurationProblem(
            path: last.path, mark: last.mark, message: "… and \(all.omitted) more mistakes")
        return ConfigurationErrors(found + [note])
    }
}

/// Why a text is not the value that it should be: one sentence without a place, for whoever knows the place.
public struct ValueError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong and what would be right.
    public let message: String

    /// An error.
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
