import Configuration
import EventLoop
import Glibc
import Logging
import Sockets
import Synchronization

/// The output of end records, which a reload can change: no record is lost, and no caller waits.
///
/// `post` is called on any thread; `prepare`, `apply`, `discard` and the end on the main thread.
final class AccessLog: Sendable {
    typealias Writer = OutputWriter<Outputs.Line>

    /// A prepared output that is not in use.
    struct Prepared {
        fileprivate let access: LogSettings.Access
        fileprivate let writer: Writer?
        /// Whether the writer was made for this change.
        fileprivate let isNew: Bool
    }

    private struct State {
        var access: LogSettings.Access
        /// Nil without end records; for standard error the diagnostics' writer, so that lines stay whole.
        var writer: Writer?
        /// Kept once made: two threads that write to one pipe would interleave lines.
        var standardOutput: Writer?
        /// Writers of former files, until they have written what they had.
        var retired: [RetiredWriter] = []
    }

    private let diagnostics: Writer
    private let style: LineStyle
    private let logger: Logger
    private let state: Mutex<State>

    /// Opens the output. Throws where it cannot be opened.
    init(
        _ access: LogSettings.Access, diagnostics: Writer, style: LineStyle, logger: Logger
    ) throws(SystemError) {
        self.diagnostics = diagnostics
        self.style = style
        self.logger = logger
        state = Mutex(State(access: .off))
        apply(try prepare(access, reopening: false))
    }

    /// Posts a line.
    func post(_ line: Outputs.Line) {
        // Under the lock: a writer that is being replaced still gets every line posted before that.
        state.withLock { $0.writer?.post(line) }
    }

    // MARK: Changing

    /// Prepares an output without changing anything. `reopening`: a file is opened again even if it is the one in use,
    /// for it may have been renamed.
    func prepare(_ access: LogSettings.Access, reopening: Bool) throws(SystemError) -> Prepared {
        let access = Self.resolved(access)
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
    private static func resolved(_ access: LogSettings.Access) -> LogSettings.Access {
        guard case .file(let path) = access else { return access }
        return switch OutputFile.descriptor(namedBy: path) {
        case STDOUT_FILENO: .standardOutput
        case STDERR_FILENO: .standardError
        default: access
        }
    }

    /// Switches to a prepared output. The former one writes what it has, and ends by itself.
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

    /// Ends an output that is not applied.
    func discard(_ prepared: Prepared) {
        guard prepared.isNew, let writer = prepared.writer else { return }
        writer.finish {}
        writer.join()
    }

    /// Joins the threads of writers that have ended.
    private func reap() {
        let done = state.withLock { $0.retired.extract(where: \.isDone) }
        for writer in done { writer.join() }
    }

    private func makeWriter(_ output: OutputFile) throws(SystemError) -> Writer {
        let logger = logger
        let style = style.on(output)
        do {
            return try Writer(
                name: "access log", output: output, limit: Outputs.lineLimit,
                report: { trouble in
                    if let lines = style.connections {
                        // In its place among the lines.
                        guard case .recovered(let lost) = trouble else { return nil }
                        return lost > 0 ? .text(lines.omission(lost)) : nil
                    }
                    trouble.log("end records", to: output.name, logger)
                    return nil
                },
                render: { style.append($0, to: &$1) })
        } catch {
            throw SystemError("start a thread for end records", (error as? UVError)?.errno ?? Errno(EAGAIN))
        }
    }

    // MARK: The end

    /// Writes everything pending, in this output and in former ones, then calls `done` on any thread; `join` follows.
    /// The diagnostics' writer is not ended here.
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

    /// Joins the threads, after `finish`.
    func join() {
        let (writers, retired) = own
        for writer in writers { writer.join() }
        for writer in retired { writer.join() }
    }

    /// The number of end records not yet written.
    var missing: Int {
        let (writers, retired) = own
        let isShared = state.withLock { $0.writer === diagnostics }
        return writers.reduce(isShared ? diagnostics.missing : 0) { $0 + $1.missing }
            + retired.reduce(0) { $0 + $1.missing }
    }

    /// The writers that belong to this log: those in use, and those that end by themselves.
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

/// A writer that gets no further lines.
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

    /// Writes the pending lines, then ends. Once.
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

    /// Calls the action when the writer has ended: at once, or on the writer's thread.
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
