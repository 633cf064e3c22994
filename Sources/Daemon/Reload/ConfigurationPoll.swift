import EventLoop
import Synchronization

/// Compares a configuration's files every two seconds, for changes that no directory watch reports: of a file that is
/// mounted alone (its directory does not change), of a file with another name elsewhere (a hard link), by a write
/// through a mapping (inotify reports none), or by another host (NFS, 9p; inotify(7)).
///
/// It has a thread of its own: a call to a file server that does not answer blocks this thread, not the main loop,
/// which handles signals. The thread wakes once per period; a comparison is one stat(2) per file, and the content of up
/// to `mostReadAtOnce` files is read and hashed (0.1 ms for a file of usual size), because a write through a mapping
/// may leave all time stamps unchanged.
///
/// Made, used and closed on the main loop's thread.
final class ConfigurationPoll {
    /// The period, in milliseconds.
    static let period: UInt64 = 2000
    /// The most files whose content is read in one period; the next period continues after them.
    static let mostReadAtOnce = 64

    private enum Message: Sendable {
        case compare([String])
        case close
    }

    /// Whether the thread is in a call that may block as long as a file server does, and whether it may enter one.
    private struct Gate {
        var isBusy = false
        var isClosed = false
    }

    private let thread: LoopThread
    private let mailbox: Mailbox<Message>
    private let changes: Mailbox<LookCause>
    private let gate: GateBox
    private var paths: [String] = []
    private var isClosed = false

    /// Mutex is not copyable, and both threads need it.
    private final class GateBox: Sendable {
        let state = Mutex(Gate())
    }

    /// Starts the thread, which compares nothing until it has paths. `changed` is called on the loop's thread when a
    /// file has changed, and as a precaution once for every new list of paths, when their state has been read: a change
    /// after that call cannot be missed.
    init(loop: EventLoop, period: UInt64 = ConfigurationPoll.period, changed: @escaping (LookCause) -> Void) throws {
        let changes = try Mailbox<LookCause>(loop: loop) { causes in
            changed(causes.contains(.report) ? .report : .precaution)
        }
        let gate = GateBox()
        do {
            (thread, mailbox) = try LoopThread.start(name: "configuration") { loop in
                try Comparer(loop: loop, period: period, changes: changes, gate: gate).openMailbox()
            }
        } catch {
            changes.close()
            throw error
        }
        self.changes = changes
        self.gate = gate
    }

    /// Compares these paths from now on, instead of the former ones.
    func compare(_ paths: [String]) {
        guard !isClosed, paths != self.paths else { return }
        self.paths = paths
        mailbox.post(.compare(paths))
    }

    /// Ends the thread; a second call does nothing. A thread that is blocked by a file server is left until the process
    /// ends.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        changes.close()
        let isBusy = gate.state.withLock { gate in
            gate.isClosed = true
            return gate.isBusy
        }
        mailbox.post(.close)
        if isBusy { thread.detach() } else { thread.join() }
    }

    // MARK: On the thread

    /// The state of the comparison. Confined to the thread.
    private final class Comparer {
        private struct File {
            let path: String
            var signature: FileSignature?
            var digest: Int?
        }

        private let loop: EventLoop
        private let period: UInt64
        private let changes: Mailbox<LookCause>
        private let gate: GateBox
        private var files: [File] = []
        private var nextToRead = 0
        private var timer: Timer?
        private var mailbox: Mailbox<Message>?

        init(loop: EventLoop, period: UInt64, changes: Mailbox<LookCause>, gate: GateBox) {
            self.loop = loop
            self.period = period
            self.changes = changes
            self.gate = gate
        }

        /// The mailbox keeps this object alive until it is closed.
        func openMailbox() throws -> Mailbox<Message> {
            timer = Timer(loop: loop) { [unowned self] in compare() }
            let mailbox = try Mailbox<Message>(loop: loop) { [self] in $0.forEach(handle) }
            self.mailbox = mailbox
            return mailbox
        }

        private func handle(_ message: Message) {
            switch message {
            case .compare(let paths):
                let known = whileOpen {
                    paths.map {
                        File(path: $0, signature: FileSignature(of: $0), digest: FileSignature.digest(of: $0))
                    }
                }
                guard let known else { return }
                files = known
                nextToRead = 0
                changes.post(.precaution)
                timer?.start(after: period, every: period)
            case .close:
                timer?.close()
                timer = nil
                mailbox?.close()
                mailbox = nil
            }
        }

        private func compare() {
            let hasChanged = whileOpen {
                let signatures = updateSignatures()
                let digests = updateDigests()
                return signatures || digests
            }
            if hasChanged == true { changes.post(.report) }
        }

        private func updateSignatures() -> Bool {
            var hasChanged = false
            for index in files.indices {
                let signature = FileSignature(of: files[index].path)
                guard signature != files[index].signature else { continue }
                files[index].signature = signature
                hasChanged = true
            }
            return hasChanged
        }

        private func updateDigests() -> Bool {
            var hasChanged = false
            for _ in 0..<min(files.count, ConfigurationPoll.mostReadAtOnce) {
                let digest = FileSignature.digest(of: files[nextToRead].path)
                if digest != files[nextToRead].digest {
                    files[nextToRead].digest = digest
                    hasChanged = true
                }
                nextToRead = (nextToRead + 1) % files.count
            }
            return hasChanged
        }

        /// Runs a body that may block; nil when the poll is closed.
        private func whileOpen<Result>(_ body: () -> Result) -> Result? {
            let isOpen = gate.state.withLock { gate in
                gate.isBusy = !gate.isClosed
                return gate.isBusy
            }
            guard isOpen else { return nil }
            defer { gate.state.withLock { $0.isBusy = false } }
            return body()
        }
    }
}
