internal import Configuration
internal import Logging
internal import Recording
internal import Sockets

/// The rotation of a recording's files.
extension RecordingStream {
    /// Whether the file has reached its age limit.
    private var isOld: Bool {
        rotation.age > 0 && hasConversations && Monotonic.elapsed(from: beganAt, to: ticks()) >= UInt64(rotation.age)
    }

    /// Whether the file has no room for a block of about `count` bytes.
    func isFull(with count: Int) -> Bool {
        guard rotation.size > 0, hasConversations else { return false }
        // Headers and comments need less than this.
        return length + buffer.count + count + (count >> 4) + 2048 > rotation.size
    }

    /// Closes the file if it has reached its age limit.
    func rotateIfOld(at time: Int64) {
        if case .writing = state, isOld { rotate(at: time) }
    }

    /// Closes the file; `open` begins the next one.
    func rotate(at time: Int64) {
        guard case .writing = state else { return }
        end(at: time)
        guard case .writing = state, case .files(var files, let file, let rotation) = sink else { return }
        for (name, error) in files.ended() {
            logger.warning(
                "an old recording cannot be removed", metadata: ["file": "\(name)", "error": "\(error.name)"])
        }
        hasConversations = false
        sink = .files(files, file, rotation)
        isClosed = true
        progress.update { $0.file = nil }
    }

    /// Begins the next file if the last one was closed. False if that fails.
    func open(at time: Int64) -> Bool {
        guard isClosed else { return true }
        guard case .files(var files, _, let rotation) = sink else { return true }
        do {
            let file = try files.begin(at: time)
            sink = .files(files, file, rotation)
            isClosed = false
            length = 0
            beganAt = ticks()
            begin(file.path)
            return true
        } catch {
            reportTrouble(error.errno, at: error.attempt)
            let retry = ticks() + Self.retryAfter
            state = plan.whenFull == .block ? .holding(until: retry) : .dropping(until: retry)
            return false
        }
    }
}
