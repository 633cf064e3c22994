/// What the configuration knows and this version does not do yet. Asking for it is a mistake that is said plainly,
/// rather than a silence that somebody takes for a recording.
///
/// Whoever makes one of these work takes it out of `keys`; when the set is empty this file goes.
enum NotYet {
    /// The keys concerned.
    static let keys: Set<String> = [RelayKey.record.rawValue]

    /// The message.
    static func message(_ key: String) -> String {
        "`\(key)` is not available in this version of tapline yet; take it out"
    }
}
