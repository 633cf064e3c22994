internal import Logging
package import Recording
package import Sockets

/// Where a recorder writes.
package enum RecordingSink: Sendable {
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
package struct FileRotation: Hashable, Sendable {
    package var size: Int
    /// Nanoseconds.
    package var age: Int64

    package init(size: Int, age: Int64) {
        self.size = size
        self.age = age
    }

    /// One file to the end.
    package static let never = FileRotation(size: 0, age: 0)
}
