import Admin
package import Configuration
import EventLoop
import Glibc
import Logging
import Sockets

/// Puts another configuration in force: load, validate completely, compare, apply. An error leaves everything
/// unchanged, and is reported.
///
/// On the main thread only, so that reloads run one after the other: each reads the file again, so the last request
/// wins and none is lost.
package final class Reloader {
    /// The start's configuration.
    package struct Origin: Sendable {
        /// The text of the first configuration.
        var text: ConfigurationText
        /// The environment, which stays as it was at the start.
        var environment: [String: String]

        /// A text and the environment that it was read with.
        package init(text: ConfigurationText, environment: [String: String]) {
            self.text = text
            self.environment = environment
        }
    }

    /// Prepared relays that are not in force. Either `commit` or `abandon` is called.
    struct PreparedRelays {
        /// The addresses that relays give up.
        var released: [HeldAddress]
        /// Puts them in force with a generation; connections of removed relays may continue for the duration.
        var commit: (Int, Duration) -> Void
        /// Leaves everything unchanged.
        var abandon: () -> Void
    }

    /// Prepares the relays of a configuration, with its difference from the one in force and the addresses that the
    /// admin API gives up. An error leaves everything unchanged.
    typealias PrepareRelays =
        (Configuration, ConfigurationDifference, [HeldAddress]) throws(SystemError) -> PreparedRelays

    // MARK: Fixed at birth

    private let path: String
    private let environment: [String: String]
    private let outputs: Outputs
    private let logger: Logger
    private let prepareRelays: PrepareRelays
    /// Where each reload is published.
    private let status: ProcessStatus
    private let journal: Journal
    private let admin: AdminHost?
    private let manager: ServiceManager?

    // MARK: The main thread only

    /// The configuration in force.
    private(set) var running: Configuration
    /// Its number.
    private(set) var generation = 1
    /// The text read last, in force or not.
    private var seen: ConfigurationText
    private var isFileGone = false
    /// Why the last reload was rejected; nil if it was not.
    private var rejection: ReloadRejection?
    /// The files of certificates and keys that the text read last names.
    private var seenCertificateFiles: [String]

    /// Starts with a configuration in force; every reload is reported to `status`, `journal` and the service manager.
    init(
        _ origin: Origin, running: Configuration, outputs: Outputs, admin: AdminHost?, status: ProcessStatus,
        journal: Journal, logger: Logger, manager: ServiceManager? = nil, prepareRelays: @escaping PrepareRelays
    ) {
        path = origin.text.path
        environment = origin.environment
        seen = origin.text
        self.running = running
        seenCertificateFiles = running.certificateFiles
        self.outputs = outputs
        self.admin = admin
        self.status = status
        self.journal = journal
        self.logger = logger
        self.manager = manager
        self.prepareRelays = prepareRelays
    }

    // MARK: Wishes

    /// Reloads on request, whether the file has changed or not.
    @discardableResult
    func reload(_ source: ReloadSource) -> ReloadOutcome {
        let start = EventLoop.nanoseconds
        manager?.reloading()
        do {
            return reload(try read(), source, since: start)
        } catch {
            return conclude(.rejected(.problems(error.problems)), source, since: start)
        }
    }

    private func read() throws(ConfigurationErrors) -> ConfigurationText {
        try ConfigurationText(reading: path, environment: environment, onlyPlainFiles: true)
    }

    /// The files included by the last read; nil without `include`.
    var includedPaths: IncludedPaths? { seen.includedPaths }

    /// The files of certificates and keys in force, and those that a rejected configuration names: it may become valid
    /// without a change of its own.
    var certificateFiles: [String] {
        let files = running.certificateFiles
        return files + seenCertificateFiles.filter { !files.contains($0) }
    }

    /// Whether a reload of the text read last may have another result than it had: certificates have changed, or the
    /// reload was rejected and what was wrong outside of the text may be gone.
    private func mayHaveChanged(_ text: ConfigurationText) -> Bool {
        guard rejection == nil else { return true }
        guard !certificateFiles.isEmpty else { return false }
        do throws(ConfigurationErrors) {
            let loaded = try Configuration.parse(text, environment: environment).configuration
            return !ConfigurationDifference(from: running, to: loaded).isEmpty
        } catch {
            return true
        }
    }

    /// The file, an included one or a certificate may have changed: reloads if the content differs from the last read,
    /// or if the last reload was rejected. The same rejection is reported once.
    func look(_ cause: LookCause) {
        let start = EventLoop.nanoseconds
        do {
            let text = try read()
            if isFileGone { logger.notice("\(path) exists again") }
            isFileGone = false
            if text == seen, !mayHaveChanged(text) {
                if cause == .report { logUnchanged() }
            } else {
                manager?.reloading()
                let isKnown = text == seen
                seen = text
                do throws(ReloadRejection) {
                    _ = try attempt(text, .file, since: start)
                } catch {
                    if isKnown, error == rejection {
                        manager?.reloaded()
                        if cause == .report { logUnchanged() }
                    } else {
                        _ = conclude(.rejected(error), .file, since: start)
                    }
                }
            }
        } catch {
            lookFailed(error, since: start)
        }
    }

    /// A missing file is often about to be replaced, and is no configuration to reject.
    private func lookFailed(_ error: ConfigurationErrors, since start: UInt64) {
        guard access(path, F_OK) != 0, errno == ENOENT || errno == ENOTDIR else {
            let error = ReloadRejection.problems(error.problems)
            if error != rejection { _ = conclude(.rejected(error), .file, since: start) }
            return
        }
        if !isFileGone { logger.warning("\(path) was removed; generation \(generation) stays active") }
        isFileGone = true
    }

    private func logUnchanged() {
        logger.debug("\(path) was touched, its contents are unchanged")
    }

    // MARK: One reload

    private func reload(_ text: ConfigurationText, _ source: ReloadSource, since start: UInt64) -> ReloadOutcome {
        seen = text
        do throws(ReloadRejection) {
            return try attempt(text, source, since: start)
        } catch {
            return conclude(.rejected(error), source, since: start)
        }
    }

    private func attempt(
        _ text: ConfigurationText, _ source: ReloadSource, since start: UInt64
    ) throws(ReloadRejection) -> ReloadOutcome {
        let (loaded, locations) = try parse(text)
        let difference = ConfigurationDifference(from: running, to: loaded)
        guard !difference.isEmpty else {
            if source == .signal { reopenAccessLog() }
            return conclude(.unchanged(difference, generation: generation), source, since: start)
        }
        let next = loaded.keepingFixedSettings(of: running)
        let prepared = try prepare(next, difference, source, locations)
        running = next
        generation += 1
        prepared.relays.commit(generation, next.shutdown.drain)
        outputs.apply(prepared.outputs)
        admin?.apply(prepared.admin)
        // Logged at the lower of both levels, so that a log that becomes quieter reports it.
        outputs.level = min(outputs.level, Logger.Level(next.log.level))
        defer { outputs.level = Logger.Level(next.log.level) }
        return conclude(.applied(difference, generation: generation), source, since: start)
    }

    private func parse(
        _ text: ConfigurationText
    ) throws(ReloadRejection) -> (Configuration, ConfigurationLocations) {
        do {
            let parsed = try Configuration.parse(text, environment: environment)
            seenCertificateFiles = parsed.configuration.certificateFiles
            return parsed
        } catch {
            seenCertificateFiles = error.certificateFiles
            throw .problems(error.problems)
        }
    }

    /// Everything that a reload changes, prepared and not in force.
    private struct Prepared {
        let outputs: Outputs.Change
        let relays: PreparedRelays
        let admin: AdminHost.Change
    }

    /// Prepares all parts, with all addresses in one step: the relays may bind what the admin API gives up, and vice
    /// versa. When one part fails, those prepared before it are discarded.
    private func prepare(
        _ next: Configuration, _ difference: ConfigurationDifference, _ source: ReloadSource,
        _ locations: ConfigurationLocations
    ) throws(ReloadRejection) -> Prepared {
        do throws(SystemError) {
            let change = try outputs.prepare(next.log, reopening: source == .signal)
            do throws(SystemError) {
                let relays = try prepareRelays(next, difference, admin?.released(for: next.admin) ?? [])
                do throws(SystemError) {
                    let adminChange = try admin?.prepare(next.admin, released: relays.released) ?? .none
                    return Prepared(outputs: change, relays: relays, admin: adminChange)
                } catch {
                    relays.abandon()
                    throw error
                }
            } catch {
                outputs.discard(change)
                throw error
            }
        } catch {
            throw .problems([locations.problem(error, in: next)])
        }
    }

    /// SIGHUP after a log rotation reopens the access log.
    private func reopenAccessLog() {
        do {
            outputs.apply(try outputs.prepare(running.log, reopening: true))
        } catch {
            logger.error("\(error); end records continue to the file that is open")
        }
    }

    // MARK: Saying it

    private func conclude(_ outcome: ReloadOutcome, _ source: ReloadSource, since start: UInt64) -> ReloadOutcome {
        manager?.reloaded()
        let milliseconds = Monotonic.elapsed(from: start, to: EventLoop.nanoseconds) / 1_000_000
        let report = outcome.report(source, generation: generation, milliseconds: milliseconds)
        status.reloaded(report, configuration: report.result == .applied ? running : nil)
        journal.reloaded(report)
        let particulars: Logger.Metadata = [
            "generation": .stringConvertible(generation), "duration_ms": .stringConvertible(milliseconds),
            "source": "\(source.rawValue)",
        ]
        switch outcome {
        case .applied(let difference, _):
            logger.notice("reloaded: \(difference.words)", metadata: particulars)
        case .unchanged(let difference, _):
            // After a rejection, or where a setting needs a restart, the log reports that nothing else will happen.
            if !difference.needsRestart.isEmpty {
                logger.notice("nothing reloaded: \(difference.words)", metadata: particulars)
            } else if rejection != nil {
                logger.notice("configuration unchanged; the problem is gone", metadata: particulars)
            } else {
                logger.debug("configuration unchanged", metadata: particulars)
            }
        case .rejected(let rejection):
            logger.error(
                "reload rejected, generation \(generation) stays active: \(rejection.words)", metadata: particulars)
        }
        if case .rejected(let rejection) = outcome { self.rejection = rejection } else { rejection = nil }
        return outcome
    }
}

extension ConfigurationLocations {
    /// An operating-system error, with its place in the file where it has one.
    func problem(_ error: SystemError, in configuration: Configuration) -> ConfigurationProblem {
        let place = place(of: error, in: configuration)
        return ConfigurationProblem(path: place?.path ?? path, mark: place?.mark, message: error.description)
    }

    /// The place of the error's subject: the access log, the admin API, or a relay's listener.
    private func place(of error: SystemError, in configuration: Configuration) -> ConfigurationLocation? {
        switch error.subject {
        case .file(let path) where configuration.log.access == .file(path): return accessLog
        case .admin where configuration.admin != nil: return admin
        case .listener(let address, let relay):
            let listeners = configuration.relays.first { $0.name == relay }?.listen ?? []
            return listeners.first { $0.socketAddresses.contains(address) }.flatMap { listener($0, of: relay) }
        case .file, .admin, nil: return nil
        }
    }
}
