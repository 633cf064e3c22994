import Configuration
import Logging
import Text

/// The log handler of all diagnostics: passes each line to a sink, which must not block.
///
/// A value; any thread.
struct DiagnosticsHandler: LogHandler {
    /// The level of the whole log, unless this logger has its own.
    var logLevel: Logger.Level {
        get { ownLevel ?? live.level }
        set { ownLevel = newValue }
    }
    private var ownLevel: Logger.Level?
    private let live: LiveLog
    var metadata: Logger.Metadata = [:]
    private let sink: @Sendable (Diagnostic) -> Void

    /// Lines of the log's level or above go to the sink.
    init(_ live: LiveLog, sink: @escaping @Sendable (Diagnostic) -> Void) {
        self.live = live
        self.sink = sink
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        // Metadata of the call has precedence over the logger's.
        var merged = metadata.merging(event.metadata ?? [:]) { _, atCall in atCall }
        if let error = event.error { merged["error"] = merged["error"] ?? .string("\(error)") }
        let fields = merged.sorted { $0.key < $1.key }.map { key, value in
            Diagnostic.Field(key: key.asKey, value: Diagnostic.Value(value))
        }
        sink(Diagnostic(time: .now, level: event.level, message: event.message.description, fields: fields))
    }
}

extension Logger.Level {
    /// swift-log's level for a configured one.
    init(_ level: LogSettings.Level) {
        self =
            switch level {
            case .trace: .trace
            case .debug: .debug
            case .info: .info
            case .notice: .notice
            case .warning: .warning
            case .error: .error
            }
    }
}

extension Diagnostic.Value {
    /// Integers stay numbers and Booleans stay Booleans if they were passed as such (`.stringConvertible`), never because
    /// of what a text contains: a relay may be named `8080` or `true`.
    fileprivate init(_ value: Logger.Metadata.Value) {
        self =
            switch value {
            case .stringConvertible(let number as any BinaryInteger): .number(Int64(clamping: number))
            case .stringConvertible(let flag as Bool): .flag(flag)
            default: .text(value.description)
            }
    }
}
