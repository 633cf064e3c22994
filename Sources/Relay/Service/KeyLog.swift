internal import Configuration
internal import Logging
internal import Sockets
internal import Synchronization

/// The key log of the process: the file that `SSLKEYLOGFILE` names, for relays with `tls_keylog`.
///
/// The file is opened with the first line, which may be that of any worker. Any thread; a line is one write that does
/// not wait, and an error never ends a connection.
final class KeyLog: Sendable {
    /// The variable that names the file, as in browsers and curl.
    static let variable = "SSLKEYLOGFILE"

    private enum State: Sendable {
        case unopened
        case open(OutputFile)
        case unusable
    }

    private let path: String?
    private let logger: Logger
    private let state = Mutex(State.unopened)
    private let use = Mutex(Use.none)
    private let hasWarned = Atomic(false)

    /// `path`: the variable's value; nil or empty without one.
    init(path: String?, logger: Logger) {
        self.path = path.flatMap { $0.isEmpty ? nil : $0 }
        self.logger = logger
    }

    /// Appends a line, which has no end.
    func append(_ line: [UInt8]) {
        let failure = state.withLock { state -> (any Error)? in
            if case .unopened = state {
                state = .unusable
                guard let path else { return nil }
                do {
                    state = .open(try OutputFile(appendingTo: path, mode: 0o600))
                } catch {
                    return error
                }
            }
            guard case .open(let file) = state else { return nil }
            do {
                try file.writeAtOnce(line + [UInt8(ascii: "\n")])
                return nil
            } catch {
                return error
            }
        }
        if let failure { warn(failure) }
    }

    /// The first error is logged; a file that is full would otherwise fill the log, too.
    private func warn(_ error: any Error) {
        guard !hasWarned.exchange(true, ordering: .relaxed) else { return }
        logger.warning(
            "TLS keys cannot be written to \(path ?? "")", metadata: ["file": "\(path ?? "")", "error": "\(error)"])
    }

    /// Whether keys are written, according to a configuration and the variable.
    private enum Use: Hashable, Sendable {
        case written, withoutFile, ignored, none
    }

    /// A configuration comes into force: logs what becomes of keys, if that is new.
    func check(_ relays: [RelaySettings]) {
        let new: Use =
            if relays.contains(where: \.writesKeyLog) {
                path == nil ? .withoutFile : .written
            } else {
                path != nil && relays.contains(where: \.hasTLS) ? .ignored : .none
            }
        let isNew = use.withLock { use in
            defer { use = new }
            return use != new
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
