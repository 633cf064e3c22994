import Sockets
import Text

/// The context of reading one text. Confined to that call.
final class Reading {
    let problems: Problems
    let environment: EnvironmentText
    /// The absolute folder in which relative paths are resolved.
    let directory: String
    /// Certificates and keys are read and checked. A command that only needs the admin API's address may not have the right to
    /// read keys.
    let readsCertificates: Bool

    init(problems: Problems, environment: EnvironmentText, directory: String, readsCertificates: Bool = true) {
        self.problems = problems
        self.environment = environment
        self.directory = directory
        self.readsCertificates = readsCertificates
    }

    convenience init(
        problems: Problems, environment: [String: String], directory: String, readsCertificates: Bool = true
    ) {
        self.init(
            problems: problems, environment: EnvironmentText(values: environment), directory: directory,
            readsCertificates: readsCertificates)
    }
}

/// A value with its position, for later checks.
struct Located<Value> {
    let value: Value
    let mark: Mark
}

/// The entries of one mapping by key. Unknown and duplicate keys are reported.
struct Fields<Key: ConfigurationKey> {
    /// The start of the mapping.
    let mark: Mark
    private var found: [Key: Field] = [:]
    /// Known keys that were probably misspelt. They are not reported as missing as well.
    private var misspelt: Set<String> = []
    private let reading: Reading

    /// Reads the mapping. Anything else is reported, and the result is nil.
    init?(_ node: YAMLNode, called name: String, _ reading: Reading) {
        mark = node.mark
        self.reading = reading
        let entries: [YAMLEntry]
        switch node.content {
        case .refused:
            return nil
        case .mapping(let list):
            entries = list
        case .scalar("", isPlain: true):
            reading.problems.report(node.mark, "\(name) has no value; it \(Self.rule)")
            return nil
        case .scalar, .sequence:
            reading.problems.report(node.mark, "\(name) \(Self.rule)")
            return nil
        }
        for entry in entries { add(entry) }
    }

    private static var rule: String {
        "must be a mapping with the \(Key.allCases.count == 1 ? "key" : "keys") \(known)"
    }

    private static var known: String {
        Key.allCases.map { "`\($0.rawValue)`" }.joined(separator: ", ")
    }

    private mutating func add(_ entry: YAMLEntry) {
        guard case .scalar(let name, _) = entry.key.content else {
            if case .refused = entry.key.content { return }
            reading.problems.report(entry.key.mark, "a key must be plain text; valid keys: \(Self.known)")
            return
        }
        guard let key = Key(rawValue: name) else {
            let guess = NearestKey.find(name, in: Key.allCases.map(\.rawValue))
            if let guess { misspelt.insert(guess) }
            let advice = guess.map { "did you mean `\($0)`?" } ?? "valid keys: \(Self.known)"
            reading.problems.report(entry.key.mark, "unknown key \(quoted(name)); \(advice)")
            return
        }
        if let first = found[key] {
            reading.problems.report(
                entry.key.mark, "duplicate key `\(name)`; the first is on line \(first.keyMark.line)")
            return
        }
        found[key] = Field(name: name, node: entry.value, keyMark: entry.key.mark, reading: reading)
    }

    /// The value of a key; nil when it is absent.
    subscript(key: Key) -> Field? { found[key] }

    /// The value of a key; nil when it is absent, which is reported.
    func required(_ key: Key, in name: String) -> Field? {
        if let field = found[key] { return field }
        if !misspelt.contains(key.rawValue) {
            reading.problems.report(mark, "\(name) has no `\(key.rawValue)`")
        }
        return nil
    }
}

/// One value of a mapping. Each method that reads it reports a mistake and then returns nil.
struct Field {
    let name: String
    let node: YAMLNode
    let keyMark: Mark
    let reading: Reading

    /// The position of the value.
    var mark: Mark { node.mark }

    /// Reports a mistake about this value.
    func report(_ message: String) {
        reading.problems.report(mark, "`\(name)`: \(message)")
    }

    /// The text with environment variables expanded.
    func text() -> String? {
        switch node.content {
        case .refused:
            return nil
        case .scalar("", isPlain: true):
            report("has no value")
            return nil
        case .scalar(let text, _):
            return reading.environment.expand(text) { report($0) }
        case .sequence:
            report("must be one value, not a list")
            return nil
        case .mapping:
            report("must be one value, not a mapping")
            return nil
        }
    }

    /// The text's value according to `parse`.
    func value<Value>(_ parse: (String) throws(ValueError) -> Value) -> Value? {
        guard let text = text() else { return nil }
        do {
            return try parse(text)
        } catch {
            report(error.message)
            return nil
        }
    }

    /// One word of a closed list.
    func choice<Choice: RawRepresentable<String> & CaseIterable>(_: Choice.Type) -> Choice? {
        value { text throws(ValueError) in
            if let choice = Choice(rawValue: text) { return choice }
            let words = Choice.allCases.map(\.rawValue)
            let guess = NearestKey.find(text, in: words).map { "; did you mean `\($0)`?" } ?? ""
            throw ValueError("\(quoted(text)) is not one of \(words.joined(separator: ", "))\(guess)")
        }
    }

    func duration() -> Duration? {
        value(DurationText.parse)
    }

    func size(in range: ClosedRange<Int>) -> Int? {
        value { text throws(ValueError) in try SizeText.parse(text, in: range) }
    }

    func number(in range: ClosedRange<Int>) -> Int? {
        value { text throws(ValueError) in try NumberText.parse(text, in: range) }
    }

    /// An absolute path.
    func path() -> String? {
        value { text throws(ValueError) in try PathText.absolute(text, in: reading.directory) }
    }

    /// A folder of included files, or a pattern of their names.
    func inclusion() -> Inclusion? {
        value { text throws(ValueError) in
            try Inclusion(parsing: text, in: reading.problems.path, directory: reading.directory)
        }
    }

    /// The entries of a mapping.
    func fields<Key: ConfigurationKey>(_: Key.Type) -> Fields<Key>? {
        Fields(node, called: "`\(name)`", reading)
    }

    /// The elements of a list, each with the list's name. A single value is a list of one.
    func elements() -> [Field] {
        guard case .sequence(let nodes) = node.content else { return [self] }
        return nodes.map { Field(name: name, node: $0, keyMark: keyMark, reading: reading) }
    }
}

extension Field {
    /// Reads networks or single addresses.
    func networks() -> [Network] {
        elements().compactMap { element in
            element.value { text throws(ValueError) in try Network(parsing: text) }
        }
    }
}
