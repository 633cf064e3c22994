import Admin
import Configuration
import EventLoop
import Glibc
import Logging
import Relay
import Sockets

/// Taking over from another process, letting another one take over, and the service manager's notifications.
extension Supervisor {
    // MARK: Taking over

    /// Everything is running: the older process, or else the service manager, is notified.
    func notifyReady() throws {
        guard let predecessor = plan.inheritance.predecessor else { return try beginService() }
        let receiver = try UpgradeReceiver(
            loop: loop, predecessor, predecessors, logger: outputs.logger,
            tookOver: { [unowned self] in tookOver() }, alone: { [unowned self] in outputs.share(false) })
        self.receiver = receiver
        receiver.ready()
    }

    private func tookOver() {
        service?.ownHandedFiles()
        admin?.ownFiles()
        do {
            try beginService()
        } catch {
            outputs.logger.error("the service manager is no longer notified", metadata: ["error": "\(error)"])
        }
    }

    /// This process is the service's main process from now on.
    private func beginService() throws {
        guard let mailbox, let service, guest == nil, sequence.state == .running else { return }
        try manager.begin(
            on: loop,
            askStats: {
                Task {
                    let stats = await service.stats()
                    mailbox.post(.stats(StatusLine.Sample(stats, open: service.openConnections)))
                }
            },
            askPulse: {
                Task {
                    await service.pulse()
                    mailbox.post(.pulsed)
                }
            })
    }

    func sendStatus(_ sample: StatusLine.Sample) {
        let facts = status.now
        manager.stats(sample, generation: facts.generation, wasRejected: facts.lastReload?.result == .rejected)
    }

    // MARK: Letting another take over

    func prepareUpgrades() throws {
        guard guest == nil else { return }
        upgrade = try Upgrade(
            loop: loop, program: program, logger: outputs.logger,
            obstacle: { [unowned self] in plan.obstacleToUpgrade(with: configuration) },
            hooks: Upgrade.Hooks(
                copy: { [unowned self] in copyListeners(from: $0) },
                mostSockets: { [unowned self] in mostListeningSockets },
                continuing: { [unowned self] in
                    (
                        service?.reserveIDs(), Self.lines(service?.recordingsStartedAtRunTime),
                        Self.lines(service?.recordingsStoppedAtRunTime)
                    )
                },
                handOver: { [unowned self] in handOver(to: $0, notify: $1) },
                failed: { [unowned self] in
                    outputs.share(false)
                    catchUpWithReloads()
                },
                drain: { [unowned self] in configuration.shutdown.drain }))
    }

    func askForUpgrade() {
        guard let upgrade, sequence.state == .running || sequence.state == .replaced else {
            return outputs.logger.warning("upgrade refused: Tapline is \(upgrade == nil ? "starting" : "stopping")")
        }
        // The manager could not be notified of another main process, and files would have no owner.
        guard receiver?.hasTakenOver != false else {
            return outputs.logger.warning("upgrade refused: the last upgrade is not complete yet")
        }
        upgrade.ask()
    }

    /// The admin API has at most two.
    private var mostListeningSockets: Int { (service?.mostListeningSockets ?? 0) + 2 }

    private func copyListeners(from lowest: Int32) {
        guard let mailbox, let service else { return }
        // From now on the other process may write to the same outputs.
        outputs.share(true)
        let ofAdmin: [HandedSocket]
        do throws(SystemError) {
            ofAdmin = try admin?.copyListeners(from: lowest) ?? []
        } catch {
            mailbox.post(.copied(.failure(error)))
            return
        }
        Task {
            do throws(SystemError) {
                let relays = try await service.copyListeners(from: lowest)
                mailbox.post(.copied(.success(Upgrade.Sockets(relays: relays, admin: ofAdmin))))
            } catch {
                mailbox.post(.copied(.failure(error)))
            }
        }
    }

    /// Another process accepts clients from the same sockets.
    private func handOver(to process: Int32, notify: ([Predecessor]) -> Void) {
        // The manager first: it accepts the other process's notifications from then on.
        manager.leave(to: process)
        // Before the other process is notified, which then connects to the new name.
        let own = Predecessor(id: getpid(), access: admin?.leave())
        notify(predecessors.reachable + [own])
        predecessors.leave()
        take(.replaced(by: process))
    }

    // MARK: Recordings

    /// The settings of recordings, by relay, for the next process.
    private static func lines(_ recordings: [String: RecordSettings]?) -> [HandoverMessage.Recording] {
        (recordings ?? [:]).sorted { $0.key < $1.key }.map { relay, settings in
            HandoverMessage.Recording(relay: relay, settings: settings.requestText)
        }
    }

    /// The configured recordings that were stopped at run time in the older process, by relay. As after a reload, one
    /// whose settings have changed since starts.
    var stoppedRecordings: [String: RecordSettings] {
        var all: [String: RecordSettings] = [:]
        for stopped in plan.inheritance.stoppedRecordings {
            // Of another version, whose settings this one does not know: they are not those of the configuration.
            guard let settings = try? settings(of: stopped) else { continue }
            all[stopped.relay] = settings
        }
        return all
    }

    private func settings(of recording: HandoverMessage.Recording) throws -> RecordSettings {
        try RecordSettings.parse(Array(recording.settings.utf8), changing: nil, directory: status.directory)
    }

    /// Goes on with the recordings that were started at run time in the older process: each in a new file, as after a
    /// rotation. Those that were stopped stay so.
    func continueRecordings(_ service: RelayService) {
        let started = Set(plan.inheritance.recordings.map(\.relay))
        for relay in service.recordingsStoppedAtRunTime.keys.sorted() where !started.contains(relay) {
            outputs.logger.notice(
                "recording of \(relay) stays stopped after the upgrade", metadata: ["relay": "\(relay)"])
        }
        for recording in plan.inheritance.recordings {
            let particulars: Logger.Metadata = ["relay": "\(recording.relay)"]
            do {
                let settings = try settings(of: recording)
                let state = try service.startRecording(recording.relay, settings)
                outputs.logger.notice(
                    "recording of \(recording.relay) continues after the upgrade, in a new file",
                    metadata: particulars.merging(["file": "\(state.file ?? settings.directory)"]) { $1 })
            } catch {
                outputs.logger.warning(
                    "recording of \(recording.relay) ends with the upgrade: it cannot be started in this process",
                    metadata: particulars.merging(["error": "\(Self.reason(error))"]) { $1 })
            }
        }
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case RelayService.RecordingRefusal.unknownRelay: "the configuration has no relay with this name"
        case RelayService.RecordingRefusal.system(let error): error.description
        default: "\(error)"
        }
    }
}

extension StatusLine.Sample {
    /// The current counters.
    init(_ stats: [String: RelayStats], open: Int) {
        self.init(stats, open: open, at: EventLoop.nanoseconds)
    }
}
