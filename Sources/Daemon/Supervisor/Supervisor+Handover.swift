import Admin
import Configuration
import EventLoop
import Logging
import Relay
import Sockets

/// How this process takes another one's place and lets another one take its own, and what the service manager is told.
extension Supervisor {
    // MARK: Taking over

    /// Everything is up: whoever waits for that is told.
    func tellReady() throws {
        guard let predecessor = plan.inheritance.predecessor else { return try beginService() }
        let arrival = try Arrival(
            loop: loop, predecessor, logger: outputs.logger,
            tookOver: { [unowned self] in tookOver() }, alone: { [unowned self] in outputs.share(false) })
        self.arrival = arrival
        arrival.ready()
    }

    private func tookOver() {
        service?.ownHandedFiles()
        admin?.ownFiles()
        do {
            try beginService()
        } catch {
            outputs.logger.error("the service manager is told nothing more", metadata: ["error": "\(error)"])
        }
    }

    /// This process is the service, whoever was it before.
    private func beginService() throws {
        guard let mailbox, let service, guest == nil, sequence.state == .running else { return }
        try manager.begin(
            on: loop,
            askFigures: {
                Task {
                    let figures = await service.figures()
                    mailbox.post(.figures(StatusLine.Look(figures, open: service.openConnections)))
                }
            },
            askPulse: {
                Task {
                    await service.pulse()
                    mailbox.post(.pulsed)
                }
            })
    }

    func tell(_ look: StatusLine.Look) {
        let facts = standing.now
        manager.figures(look, generation: facts.generation, wasRejected: facts.lastReload?.result == .rejected)
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
                handOver: { [unowned self] in handOver(to: $0, tell: $1) },
                failed: { [unowned self] in
                    outputs.share(false)
                    catchUpWithReloads()
                },
                drain: { [unowned self] in configuration.shutdown.drain }))
    }

    func askForUpgrade() {
        guard let upgrade, sequence.state == .running || sequence.state == .replaced else {
            return outputs.logger.warning("no upgrade: tapline is \(upgrade == nil ? "starting" : "stopping")")
        }
        // The manager would not hear from this process whose turn it is, and files would have no owner.
        guard arrival?.hasTakenOver != false else {
            return outputs.logger.warning("no upgrade: the process before this one has not handed everything over yet")
        }
        upgrade.ask()
    }

    /// Two are the most that the admin API has.
    private var mostListeningSockets: Int { (service?.mostListeningSockets ?? 0) + 2 }

    private func copyListeners(from lowest: Int32) {
        guard let mailbox, let service else { return }
        // From now on the other process may write its lines beside ours.
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
    private func handOver(to process: Int32, tell: () -> Void) {
        // The manager first: what the other process says counts from then on.
        manager.leave(to: process)
        tell()
        admin?.leave()
        take(.replaced(by: process))
    }
}

extension StatusLine.Look {
    /// What the counters say now.
    init(_ figures: [String: RelayFigures], open: Int) {
        self.init(figures, open: open, at: EventLoop.nanoseconds)
    }
}
