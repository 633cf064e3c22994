/// The target of `forward --record`.
public enum RecordingTarget: Hashable, Sendable {
    /// A new file at this path.
    case file(String)
    /// Standard output, for a live reader.
    case standardOutput
}
