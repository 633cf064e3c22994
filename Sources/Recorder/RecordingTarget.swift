/// Where `forward --record` writes.
public enum RecordingTarget: Hashable, Sendable {
    /// One file at this path, that is not there yet.
    case file(String)
    /// Standard output, for a program that reads along.
    case standardOutput
}
