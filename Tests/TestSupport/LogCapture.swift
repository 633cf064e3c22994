public import Logging

/// Keeps log lines for assertions.
public final class LogCapture: Sendable {
    private let lines = Monitor<[String]>([])

    /// An empty capture.
    public init() {}

    /// A logger that adds its lines here: level, message, metadata sorted by key.
    public var logger: Logger {
        Logger(label: "test") { _ in Handler(lines: self.lines) }
    }

    /// Whether one line contains all of these words.
    public func contains(_ words: String...) -> Bool {
        lines.withLock { lines in lines.contains { line in words.allSatisfy { line.contains($0) } } }
    }

    /// All lines so far.
    public var all: [String] { lines.withLock { $0 } }

    private struct Handler: LogHandler {
        let lines: Monitor<[String]>
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let values = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            let line = (["\(event.level)", "\(event.message)"] + values).joined(separator: " ")
            lines.withLock { $0.append(line) }
        }
    }
}
