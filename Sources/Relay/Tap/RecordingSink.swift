internal import Logging
internal import Recording
internal import Sockets

/// Where a recorder writes.
enum RecordingSink: Sendable {
    /// Files, one after the other.
    case files(RecordingFiles, RecordingFile, FileRotation)
    /// One file to the end.
    case file(RecordingFile)
    /// An output that cannot be cut back, such as a pipe to Wireshark.
    case output(OutputFile)
    /// Somebody who reads along.
    case live(LiveQueue)
}

/// When a file is closed and the next begun; 0 turns a bound off.
struct FileRotation: Hashable, Sendable {
    var size: Int
    /// Nanoseconds.
    var age: Int64

    /// One file to the end.
    static let never = FileRotation(size: 0, age: 0)
}
