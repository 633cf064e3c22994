import Configuration
import Logging
import Synchronization
import Text

/// The log settings that a reload changes for all later lines: the least level and the format. Any thread.
final class LiveLog: Sendable {
    private static let levels = Logger.Level.allCases
    private let index: Atomic<Int>
    private let isJSON: Atomic<Bool>

    /// Starts with a level and a format.
    init(level: Logger.Level, format: LogSettings.Format) {
        index = Atomic(Self.index(of: level))
        isJSON = Atomic(format == .json)
    }

    /// The least level that is written.
    var level: Logger.Level {
        get { Self.levels[index.load(ordering: .relaxed)] }
        set { index.store(Self.index(of: newValue), ordering: .relaxed) }
    }

    /// The format of lines that are not rendered yet.
    var format: LogSettings.Format {
        get { isJSON.load(ordering: .relaxed) ? .json : .text }
        set { isJSON.store(newValue == .json, ordering: .relaxed) }
    }

    private static func index(of level: Logger.Level) -> Int {
        levels.firstIndex(of: level) ?? 0
    }
}
