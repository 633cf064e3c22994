public import Sockets

/// The files of one relay's recording, one after the other in a directory that is held open.
///
/// Confined to the recorder's thread. It makes, cuts, closes and removes files; what stands in them, and when to change
/// over to the next, others decide.
public struct RecordingFiles: Sendable {
    private var directory: Directory
    private let relay: String
    /// How many closed files stay; 0: all.
    private let keep: Int
    private var current: String?
    /// The name of the file that was begun last.
    private var last: RecordingFileName?

    /// Files of a relay in a directory, of which so many stay when they are closed; 0: all of them.
    public init(directory: Directory, relay: String, keep: Int) {
        self.directory = directory
        self.relay = relay
        self.keep = keep
    }

    /// Begins the next file at a moment, nanoseconds since 1970 UTC.
    public mutating func begin(at time: Int64) throws(SystemError) -> RecordingFile {
        var name = RecordingFileName(relay: relay, nanoseconds: time)
        // Names follow each other as the files do, also where several are begun within a millisecond and the first of
        // them are gone: by their names the oldest are found. A clock that was set back is followed.
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
                // Removed and made anew: the one that is held is not what its path means any more.
                if error == .missing, let again = try? Directory(path: directory.path), isFirstTry {
                    isFirstTry = false
                    directory = again
                    continue
                }
                guard error == .exists else {
                    throw SystemError("make the recording \(directory.path)/\(text)", error)
                }
                name = name.next
            }
        }
        throw SystemError("make the recording \(directory.path)/\(name)", .exists)
    }

    /// The file that was begun last is not wanted.
    public mutating func discard() {
        // Whoever removed it before did what was wanted.
        if let current { try? directory.remove(current) }
        current = nil
    }

    /// The file that was begun last is closed: removes the oldest closed ones beyond those that stay, whichever process
    /// made them; those that a process still writes neither count nor go. Returns the names that could not be removed,
    /// with the reason.
    public mutating func ended() -> [(name: String, error: Errno)] {
        let closed = current
        current = nil
        return removeOld(closed)
    }

    /// `closed` was closed a moment ago, and its owner may not have let go of it yet.
    private func removeOld(_ closed: String?) -> [(name: String, error: Errno)] {
        guard keep > 0 else { return [] }
        let all = directory.files().filter { RecordingFileName.isRecording($0, of: relay) }
        guard all.count > keep else { return [] }
        // What another process writes is not closed, and not ours to remove: during an upgrade two record the same relay.
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
