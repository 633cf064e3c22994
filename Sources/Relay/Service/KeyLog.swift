internal import Configuration
internal import EventLoop
internal import Logging
internal import Sockets
internal import Synchronization

/// The key log of the process: the file that `SSLKEYLOGFILE` names, for relays with `tls_keylog`.
///
/// A thread of its own writes, so that a slow or full disk delays no worker. Any thread appends; a line that does not fit
/// in the bounded memory is lost and counted. No error ends a connection.
final class KeyLog: Sendable {
    /// The variable that names the file, as in browsers and curl.
    static let variable = "SSLKEYLOGFILE"
    /// The most pending lines: the keys of about three thousand handshakes, some 3 MiB.
    static let lineLimit = 16_384

    private typealias Writer = OutputWriter<[UInt8]>

    private struct State: Sendable {
        var writer: Writer?
        var hasWarned = false
        var use = Use.none
    }

    private let path: String?
    private let limit: Int
    private let logger: Logger
    private let state = Mutex(State())

    /// `path`: the variable's value; nil or empty without one. `limit`: the most pending lines.
    init(path: String?, logger: Logger, limit: Int = KeyLog.lineLimit) {
        self.path = path.flatMap { $0.isEmpty ? nil : $0 }
        self.logger = logger
        self.limit = limit
    }

    /// Appends a line, which has no end. It is in the file a few milliseconds later.
    func append(_ line: [UInt8]) {
        // The writer takes a lock of its own, and reports a loss from within `post`.
        let writer = state.withLock { $0.writer }
        writer?.post(line)
    }

    /// Writes everything pending and ends the thread, unless the file does not take it within this time, in
    /// milliseconds. Nothing may be appended afterwards.
    func finish(within timeout: UInt64) {
        guard let writer = state.withLock({ $0.writer.take() }) else { return }
        let done = Countdown(1)
        writer.finish { done.down() }
        if done.wait(atMost: timeout) {
            writer.join()
        } else {
            log(.ended(lost: writer.missing))
        }
    }

    // MARK: Opening

    /// Opens the file and starts the thread, unless that was done. False if it failed; the first error is logged.
    private func open(_ path: String) -> Bool {
        guard state.withLock({ $0.writer == nil }) else { return true }
        do {
            let file = try OutputFile(appendingTo: path, mode: 0o600)
            // Browsers, and another tapline during an upgrade, may write there too: each line stays whole.
            file.isShared = true
            let writer = try Writer(
                name: "key log", output: file, limit: limit,
                report: { [weak self] trouble in
                    self?.log(trouble)
                    return nil
                },
                render: { line, bytes in
                    bytes.append(contentsOf: line)
                    bytes.append(UInt8(ascii: "\n"))
                })
            state.withLock { $0.writer = writer }
            return true
        } catch {
            let isFirst = state.withLock { state in
                defer { state.hasWarned = true }
                return !state.hasWarned
            }
            if isFirst {
                logger.warning(
                    "TLS keys cannot be written to \(path)", metadata: ["file": "\(path)", "error": "\(error)"])
            }
            return false
        }
    }

    /// A problem of the open file.
    private func log(_ trouble: OutputTrouble) {
        let level: Logger.Level = if case .recovered(lost: 0) = trouble { .notice } else { .warning }
        logger.log(level: level, "\(trouble.message("TLS keys", to: path ?? ""))")
    }

    // MARK: Configurations

    /// Whether keys are written, according to a configuration and the variable.
    private enum Use: Hashable, Sendable {
        case written, withoutFile, ignored, none
    }

    /// A configuration comes into force: opens the file if a relay needs it, and logs what becomes of keys, if that is
    /// new. On the supervisor's thread, before a worker serves the configuration.
    func check(_ relays: [RelaySettings]) {
        var new: Use =
            if relays.contains(where: \.writesKeyLog) {
                path == nil ? .withoutFile : .written
            } else {
                path != nil && relays.contains(where: \.hasTLS) ? .ignored : .none
            }
        // A reload tries again to open a file that could not be opened.
        if new == .written, let path, !open(path) { new = .none }
        let isNew = state.withLock { state in
            defer { state.use = new }
            return state.use != new
        }
        guard isNew else { return }
        switch new {
        case .written:
            logger.warning(
                "TLS keys are written to \(path ?? ""): anyone who can read that file can decrypt the recorded traffic",
                metadata: ["file": "\(path ?? "")"])
        case .withoutFile:
            logger.warning("no TLS keys are written: `tls_keylog` is set, but \(Self.variable) is not")
        case .ignored:
            logger.notice("\(Self.variable) is ignored: no relay has `tls_keylog: true`")
        case .none: break
        }
    }
}
