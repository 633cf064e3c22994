import Admin
import Configuration
import EventLoop
import Logging
import Relay
import Sockets
import Text

/// Reloads by the signal, the file and the admin API.
extension Supervisor {
    func prepareReloads(_ origin: Reloader.Origin, _ service: RelayService) throws {
        let reloader = Reloader(
            origin, running: plan.configuration, outputs: outputs, admin: admin, status: status, journal: journal,
            logger: outputs.logger, manager: manager
        ) {
            [unowned self] (configuration, difference, released) throws(SystemError) in
            let change = try service.prepare(configuration, difference, released: released)
            return Reloader.PreparedRelays(
                released: change.released,
                commit: { [unowned self] in commit(change, configuration, service, generation: $0, drain: $1) },
                abandon: { service.abandon(change) })
        }
        self.reloader = reloader
        let path = origin.text.directory + "/" + (origin.text.path.split(separator: "/").last ?? "")
        // A file that has just been removed is watched: it may come back.
        guard !SmallFile.isSpecial(path) else {
            outputs.logger.notice(
                "\(origin.text.path) is not a regular file: it is not watched, and cannot be reloaded")
            return
        }
        watch = ConfigurationWatch(
            loop: loop, path: path, included: { reloader.includedPaths },
            certificates: { reloader.certificateFiles }, logger: outputs.logger
        ) { [unowned self] in look($0) }
    }

    private func commit(
        _ change: RelayService.Change, _ configuration: Configuration, _ service: RelayService, generation: Int,
        drain: Duration
    ) {
        let before = Set(service.listeners)
        service.commit(change, generation: generation, drain: drain)
        // Configured addresses need no announcement, but a free port is only known once it is bound.
        let configured = Set(configuration.relays.flatMap(\.listen).flatMap(\.socketAddresses))
        let free = service.listeners.filter { !before.contains($0) && !configured.contains($0.address) }
        announcer.announce(free, of: configuration)
        warn(of: configuration)
    }

    /// Logs what deserves attention in the configuration that has come into force, unless that was logged before.
    func warn(of configuration: Configuration) {
        let warnings = configuration.warnings(at: WallClock.now / 1_000_000_000)
        for warning in warnings where !configurationWarnings.contains(warning) {
            outputs.logger.warning("\(warning)")
        }
        configurationWarnings = Set(warnings)
    }

    /// The file may have changed. While another process is about to take over, that one reads it.
    private func look(_ cause: LookCause) {
        guard sequence.state == .running, upgrade?.isUnderWay != true else { return }
        reloader?.look(cause)
    }

    func reload(_ source: ReloadSource) -> ReloadOutcome {
        guard sequence.state == .running, let reloader else { return .rejected(.stopping) }
        guard upgrade?.isUnderWay != true else {
            if source == .signal { isReloadWanted = true }
            return .rejected(.upgrading)
        }
        return reloader.reload(source)
    }

    /// Requests that were deferred while another process was about to take over, which it did not.
    func catchUpWithReloads() {
        guard sequence.state == .running else { return }
        if isReloadWanted { _ = reload(.signal) } else { look(.precaution) }
        isReloadWanted = false
    }

    /// The report of a reload that was just done or refused.
    func report(_ outcome: ReloadOutcome) -> ReloadReport {
        switch outcome {
        case .rejected(.upgrading): Self.refusal(.upgrading, status)
        case .rejected(.stopping): Self.refusal(.stopping, status)
        case .applied, .unchanged, .rejected(.problems):
            status.now.lastReload ?? Self.refusal(.stopping, status)
        }
    }

    /// Requests a reload from any thread and returns its report, also when Tapline is stopping. Nil without a file to
    /// reload.
    var requestReload: (@Sendable () async -> ReloadReport)? {
        guard plan.origin != nil, let mailbox else { return nil }
        let status = status
        return {
            await withCheckedContinuation { answer in
                if !mailbox.post(.reload { answer.resume(returning: $0) }) {
                    answer.resume(returning: Self.refusal(.stopping, status))
                }
            }
        }
    }

    /// The report of a refused reload.
    static func refusal(_ rejection: ReloadRejection, _ status: ProcessStatus) -> ReloadReport {
        ReloadOutcome.rejected(rejection).report(.api, generation: status.now.generation, milliseconds: 0)
    }
}
