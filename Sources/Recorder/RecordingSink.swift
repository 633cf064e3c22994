internal import Logging
package import Recording
package import Sockets

/// The destination of a recording.
package enum RecordingSink: Sendable {
    /// A sequence of files.
    case files(RecordingFiles, RecordingFile, FileRotation)
    /// One file.
    case file(RecordingFile)
    /// An output that cannot be truncated, such as a pipe to Wireshark.
    case output(OutputFile)
    /// A live reader.
    case live(LiveQueue)
}

/// When to close a file and begin the next one; 0 disables a limit.
package struct FileRotation: Hashable, Sendable {
    /// Bytes.
    package var size: Int
    /// Nanoseconds.
    package var age: Int64

    package init(size: Int, age: Int64) {
        self.size = size
        self.age = age
    }

    /// No rotation.
    package static let never = FileRotation(size: 0, age: 0)
}
