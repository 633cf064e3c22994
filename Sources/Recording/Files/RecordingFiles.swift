public import Sockets

/// The sequence of files of one relay's recording, in an open directory.
///
/// Confined to the recorder's thread. It creates and removes files; `RecordingStream` writes them and rotates.
public struct RecordingFiles: Sendable {
    private var directory: Directory
    private let relay: String
    /// The number of closed files to keep; 0: all.
    private let keep: Int
    private var current: String?
    /// The name of the latest file.
    private var last: RecordingFileName?

    /// Files of a relay in a directory; the latest `keep` closed ones are kept (0: all).
    public init(directory: Directory, relay: String, keep: Int) {
        self.directory = directory
        self.relay = relay
        self.keep = keep
    }

    /// Creates the next file for a time, nanoseconds since 1970 UTC.
    public mutating func begin(at time: Int64) throws(SystemError) -> RecordingFile {
        var name = RecordingFileName(relay: relay, nanoseconds: time)
        // Names must sort in the order of creation, because the oldest files are found by name. So they increase also
        // if several files are created within a millisecond and some of them were removed. If the clock was set back,
        // the names follow it.
        if let last, name.milliseconds <= last.milliseconds, last.milliseconds - name.milliseconds < 1000 {
            name = last.next
        }
        var isFirstTry = true
        for _ in 0..<1000 {
            let text = name.description
            do {
                let file = try directory.create(text)
                current = text
                last = name
                return file
            } catch {
                // The directory was removed and created again, so the open one is stale.
                if error == .missing, let again = try? Directory(path: directory.path), isFirstTry {
                    isFirstTry = false
                    directory = again
                    continue
                }
                guard error == .exists else {
                    throw SystemError("create the recording \(directory.path)/\(text)", error)
                }
                name = name.next
            }
        }
        throw SystemError("create the recording \(directory.path)/\(name)", .exists)
    }

    /// Removes the latest file because it is not needed.
    public mutating func discard() {
        // An error is ignored: the file may already have been removed.
        if let current { try? directory.remove(current) }
        current = nil
    }

    /// The latest file was closed. Removes the oldest closed files beyond the number to keep, whichever process created
    /// them; files that a process still writes are neither counted nor removed. Returns the names that could not be
    /// removed, with the errors.
    public mutating func ended() -> [(name: String, error: Errno)] {
        let closed = current
        current = nil
        return removeOld(closed)
    }

    /// `closed` counts as closed although its lock may not have been released yet.
    private func removeOld(_ closed: String?) -> [(name: String, error: Errno)] {
        guard keep > 0 else { return [] }
        let all = directory.files().filter { RecordingFileName.isRecording($0, of: relay) }
        guard all.count > keep else { return [] }
        // During an upgrade two processes record the same relay, so files that another process writes are left alone.
        let names = all.filter { $0 == closed || !directory.isBeingWritten($0) }.sorted()
        var failed: [(name: String, error: Errno)] = []
        for name in names.dropLast(keep) {
            do {
                try directory.remove(name)
            } catch {
                failed.append((name, error))
            }
        }
        return failed
    }
}
