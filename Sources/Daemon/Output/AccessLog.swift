import Configuration
import EventLoop
import Glibc
import Logging
import Sockets
import Synchronization

/// Where end records go, and how that changes while they come: none is lost, and no caller waits.
///
/// Any thread posts. `prepare`, `apply` and `discard` are the main thread's, and so is the end.
final class AccessLog: Sendable {
    typealias Writer = OutputWriter<Outputs.Line>

    /// An output that is ready to take the place of the one in use.
    struct Prepared {
        fileprivate let access: LogSettings.Access
        fileprivate let writer: Writer?
        /// The writer was made for this and is not in use yet.
        fileprivate let isNew: Bool
    }

    private struct State {
        var access: LogSettings.Access
        /// Nil when no end records are written; the diagnostics' own for standard error, so that lines stay whole.
        var writer: Writer?
        /// Kept once it is made: two threads that write to one pipe would tear lines.
        var standardOutput: Writer?
        /// Writers of files that end records no longer go to, until they have written what they had.
        var retired: [RetiredWriter] = []
    }

    private let diagnostics: Writer
    private let live: LiveLog
    private let logger: Logger
    private let state: Mutex<State>

    /// Opens the output. Throws when it cannot be opened.
    init(_ access: LogSettings.Access, diagnostics: Writer, live: LiveLog, logger: Logger) throws(SystemError) {
        self.diagnostics = diagnostics
        self.live = live
        self.logger = logger
        state = Mutex(State(access: .off))
        apply(try prepare(access, reopening: false))
    }

    /// Takes a line.
    func post(_ line: Outputs.Line) {
        // Under the lock: a writer that is being replaced still takes what is posted before that.
        state.withLock { $0.writer?.post(line) }
    }

    // MARK: Changing

    /// Makes an output ready, and changes nothing yet. `reopening` says that a file is opened anew even if it is the
    /// one in use, for it may have been renamed.
    func prepare(_ access: LogSettings.Access, reopening: Bool) throws(SystemError) -> Prepared {
        let access = Self.place(access)
        let (current, writer, standardOutput) = state.withLock { ($0.access, $0.writer, $0.standardOutput) }
        switch access {
        case .off:
            return Prepared(access: access, writer: nil, isNew: false)
        case .standardError:
            return Prepared(access: access, writer: diagnostics, isNew: false)
        case .standardOutput:
            if let standardOutput { return Prepared(access: access, writer: standardOutput, isNew: false) }
            return Prepared(access: access, writer: try makeWriter(.standardOutput), isNew: true)
        case .file(let path):
            if access == current, !reopening { return Prepared(access: access, writer: writer, isNew: false) }
            return Prepared(access: access, writer: try makeWriter(OutputFile(appendingTo: path)), isNew: true)
        }
    }

    /// `/dev/stdout` and the like are standard output itself: one thread writes there, so that lines stay whole.
    private static func place(_ access: LogSettings.Access) -> LogSettings.Access {
        guard case .file(let path) = access else { return access }
        return switch OutputFile.descriptor(namedBy: path) {
        case STDOUT_FILENO: .standardOutput
        case STDERR_FILENO: .standardError
        default: access
        }
    }

    /// Sends what is posted from now on to a prepared output. The one before writes what it has, and ends by itself.
    func apply(_ prepared: Prepared) {
        let old = state.withLock { state in
            let old = state.writer
            state.access = prepared.access
            state.writer = prepared.writer
            if prepared.access == .standardOutput { state.standardOutput = prepared.writer }
            return old === state.standardOutput || old === diagnostics || old === prepared.writer ? nil : old
        }
        if let old {
            let retired = RetiredWriter(old)
            retired.finish()
            state.withLock { $0.retired.append(retired) }
        }
        reap()
    }

    /// Ends an output that is not wanted after all.
    func discard(_ prepared: Prepared) {
        guard prepared.isNew, let writer = prepared.writer else { return }
        writer.finish {}
        writer.join()
    }

    /// Gives back the threads of writers that have ended.
    private func reap() {
        let done = state.withLock { $0.retired.take(where: \.isDone) }
        for writer in done { writer.join() }
    }

    private func makeWriter(_ output: OutputFile) throws(SystemError) -> Writer {
        let logger = logger
        let live = live
        do {
            return try Writer(
                name: "access log", output: output, limit: Outputs.lineLimit,
                report: { trouble in
                    trouble.log("end records", to: output.name, logger)
                    return nil
                },
                render: { $0.append(as: live.format, to: &$1) })
        } catch {
            throw SystemError("start a thread for end records", (error as? UVError)?.errno ?? Errno(EAGAIN))
        }
    }

    // MARK: The end

    /// Writes everything that waits, in this output and in former ones, then calls `done` on any thread; `join`
    /// follows. The diagnostics' writer is not this one's to end.
    func finish(then done: @escaping @Sendable () -> Void) {
        let (writers, retired) = own
        var next = done
        for writer in writers {
            next = { [next] in writer.finish(then: next) }
        }
        for writer in retired {
            next = { [next] in writer.whenDone(next) }
        }
        next()
    }

    /// Waits for the threads, after `finish` was done.
    func join() {
        let (writers, retired) = own
        for writer in writers { writer.join() }
        for writer in retired { writer.join() }
    }

    /// How many end records are not written.
    var missing: Int {
        let (writers, retired) = own
        let isShared = state.withLock { $0.writer === diagnostics }
        return writers.reduce(isShared ? diagnostics.missing : 0) { $0 + $1.missing }
            + retired.reduce(0) { $0 + $1.missing }
    }

    /// The writers that are this one's: those in use, and those that end by themselves.
    private var own: (inUse: [Writer], retired: [RetiredWriter]) {
        state.withLock { state in
            var inUse: [Writer] = []
            if let writer = state.standardOutput { inUse.append(writer) }
            if let writer = state.writer, writer !== diagnostics, writer !== state.standardOutput {
                inUse.append(writer)
            }
            return (inUse, state.retired)
        }
    }
}

/// A writer that gets no more lines.
private final class RetiredWriter: Sendable {
    private struct State {
        var isDone = false
        var waiting: (@Sendable () -> Void)?
    }

    private let writer: AccessLog.Writer
    private let state = Mutex(State())

    init(_ writer: AccessLog.Writer) {
        self.writer = writer
    }

    /// Has it write what it has, and end. Once.
    func finish() {
        writer.finish { [self] in
            let action = state.withLock { state in
                state.isDone = true
                return state.waiting.take()
            }
            action?()
        }
    }

    var isDone: Bool { state.withLock { $0.isDone } }
    var missing: Int { isDone ? 0 : writer.missing }

    /// Calls the action when it has ended: at once, or on its thread.
    func whenDone(_ action: @escaping @Sendable () -> Void) {
        let isDone = state.withLock { state in
            if !state.isDone { state.waiting = action }
            return state.isDone
        }
        if isDone { action() }
    }

    func join() {
        writer.join()
    }
}
