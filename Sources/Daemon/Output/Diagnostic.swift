import Configuration
import Logging
import Terminal
import Text

/// One line of diagnostics: message, level and fields.
struct Diagnostic: Hashable, Sendable {
    var time: Timestamp
    var level: Logger.Level
    var message: String
    /// In the order of output.
    var fields: [Field]

    /// A key and its value.
    struct Field: Hashable, Sendable {
        var key: String
        var value: Value
    }

    /// A value; numbers, `true` and `false` are written without quotes in JSON.
    enum Value: Hashable, Sendable {
        case text(String)
        case number(Int64)
        case flag(Bool)
    }

    /// The keys of the JSON line itself.
    private static let ownKeys: Set<String> = ["time", "level", "message"]

    /// Appends the line. Text: `2026-11-22T20:15:00.123Z notice message key=value`; JSON: `time`, `level`, `message`,
    /// then the fields.
    func append(as format: LogSettings.Format, to bytes: inout [UInt8]) {
        switch format {
        case .text:
            time.append(to: &bytes)
            bytes.append(" ")
            bytes.append(level.rawValue)
            bytes.append(" ")
            bytes.append(escaped: message)
            if !fields.isEmpty { bytes.append(" ") }
            var line = FieldLine(.text, in: &bytes)
            for field in fields { line.add(field.key, field.value, to: &bytes) }
            line.end(in: &bytes)
        case .json:
            var line = FieldLine(.json, in: &bytes)
            line.add("time", time, to: &bytes)
            line.add("level", level.rawValue, to: &bytes)
            line.add("message", message, to: &bytes)
            for field in fields {
                line.add(Self.ownKeys.contains(field.key) ? field.key + "_" : field.key, field.value, to: &bytes)
            }
            line.end(in: &bytes)
        }
    }

    /// Appends the line for a person at a terminal: `warning: MESSAGE (key value, key value)`, without the time, broken
    /// between words to lines of `columns`. Levels below a warning are not named.
    func append(forTerminal traits: TerminalTraits, columns: Int, to bytes: inout [UInt8]) {
        var text = message
        if !fields.isEmpty { text += " (" + fields.map { "\($0.key) \($0.value)" }.joined(separator: ", ") + ")" }
        var lines = text.harmless.wrapped(to: columns)
        if level >= .warning {
            let name = level >= .error ? "error:" : "warning:"
            let color = level >= .error ? "31" : "35"
            lines = "\(name) \(text.harmless)".wrapped(to: columns)
            // No line of a terminal is shorter than the first word.
            if traits.showsColor, lines[0].hasPrefix(name) {
                lines[0] = "\u{1B}[1;\(color)m\(name)\u{1B}[0m" + lines[0].dropFirst(name.count)
            }
        }
        bytes.append(lines.joined(separator: "\n") + "\n")
    }
}

extension Diagnostic.Value: CustomStringConvertible {
    /// The value as it is shown to a person.
    var description: String {
        switch self {
        case .text(let text): text
        case .number(let number): "\(number)"
        case .flag(let flag): "\(flag)"
        }
    }
}

extension FieldLine {
    fileprivate mutating func add(_ key: String, _ value: Diagnostic.Value, to bytes: inout [UInt8]) {
        switch value {
        case .text(let text): add(key, text, to: &bytes)
        case .number(let number): add(key, number: number, to: &bytes)
        case .flag(let flag): add(key, flag: flag, to: &bytes)
        }
    }
}
