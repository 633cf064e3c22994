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

/// Every mistake that was found in a configuration, in the order of the text.
public struct ConfigurationErrors: Error, Hashable, Sendable, CustomStringConvertible {
    /// At least one.
    public let problems: [ConfigurationProblem]

    /// Puts the problems in the order of the text.
    public init(_ problems: [ConfigurationProblem]) {
        self.problems = problems.sorted {
            ($0.mark ?? .start, $0.message) < ($1.mark ?? .start, $1.message)
        }
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

    /// The file, as it was named.
    let path: String
    private var found: [ConfigurationProblem] = []
    private var omitted = 0

    init(path: String) {
        self.path = path
    }

    /// Notes a mistake.
    func report(_ mark: Mark?, _ message: String) {
        if found.count < Self.most {
            found.append(ConfigurationProblem(path: path, mark: mark, message: message))
        } else {
            omitted += 1
        }
    }

    /// What was found; nil when nothing was.
    var errors: ConfigurationErrors? {
        guard !found.isEmpty else { return nil }
        guard omitted > 0 else { return ConfigurationErrors(found) }
        let last = found.compactMap(\.mark).max()
        let note = ConfigurationProblem(path: path, mark: last, message: "… and \(omitted) more mistakes")
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
    var shown = ""
    for scalar in text.unicodeScalars.prefix(80) {
        let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
        let isBreak = scalar.value == 0x2028 || scalar.value == 0x2029
        if isControl || isBreak {
            shown += scalar.escaped(asASCII: true)
        } else {
            shown.unicodeScalars.append(scalar)
        }
    }
    return text.unicodeScalars.dropFirst(80).isEmpty ? "`\(shown)`" : "`\(shown)…`"
}
