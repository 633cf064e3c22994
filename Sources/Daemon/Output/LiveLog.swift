import Configuration
import Logging
import Synchronization
import Text

/// What a reload changes of every line from then on: how grave it must be, and how it looks. Any thread.
final class LiveLog: Sendable {
    private static let levels = Logger.Level.allCases
    private let place: Atomic<Int>
    private let isJSON: Atomic<Bool>

    /// Starts with a level and a format.
    init(level: Logger.Level, format: LogSettings.Format) {
        place = Atomic(Self.place(of: level))
        isJSON = Atomic(format == .json)
    }

    /// The least severity that is written.
    var level: Logger.Level {
        get { Self.levels[place.load(ordering: .relaxed)] }
        set { place.store(Self.place(of: newValue), ordering: .relaxed) }
    }

    /// How lines look that are not made yet.
    var format: LogSettings.Format {
        get { isJSON.load(ordering: .relaxed) ? .json : .text }
        set { isJSON.store(newValue == .json, ordering: .relaxed) }
    }

    private static func place(of level: Logger.Level) -> Int {
        levels.firstIndex(of: level) ?? 0
    }
}
