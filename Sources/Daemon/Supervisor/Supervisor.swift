import Admin
import Configuration
package import EventLoop
import Glibc
import Logging
package import Relay
import Sockets
import Terminal
import Text

/// Runs a configuration from start to end: workers, outputs, signals. On the main thread, with its own loop.
package final class Supervisor {
    /// A message from another thread.
    enum Event: Sendable {
        case ended(ConnectionRecord)
        case held(HeldClient)
        case workersStopped
        case linesWritten
        case reload(@Sendable (ReloadReport) -> Void)
        case drain
        /// Every worker's loop has iterated.
        case pulsed
        case stats(StatusLine.Sample)
        case copied(Result<Upgrade.Sockets, SystemError>)
        /// Answered with whether everything ends at once.
        case shutdown(@Sendable (Bool) -> Void)
    }

    /// The most time for the last lines, in milliseconds.
    private static let flushTimeout: UInt64 = 5000
    /// The shortest time between two messages about a relay whose upstream is not up, milliseconds.
    private static let holdPeriod: UInt64 = 10_000

    // MARK: Fixed at birth
    package let loop: EventLoop
    let plan: RunPlan
    let outputs: Outputs
    let announcer: Announcer
    private let report: SessionReport?
    let guest: Guest?
    let status: ProcessStatus
    let journal: Journal
    let predecessors = Predecessors()
    /// Connections that were reset because the process stopped.
    private let drainedConnections = DrainedConnections()
    let manager: ServiceManager
    /// The program for an upgrade. It is determined before anyone can replace the file.
    let program = ProgramPath.find()

    // MARK: The main thread only
    private(set) var sequence = StopSequence()
    private(set) var mailbox: Mailbox<Event>?
    var signals: [SignalWatch] = []
    private var flushTimer: Timer?
    package private(set) var service: RelayService?
    private(set) var admin: AdminHost?
    var reloader: Reloader?
    var watch: ConfigurationWatch?
    /// A reload was requested while another process was about to take over.
    var isReloadWanted = false
    /// The warnings about the configuration in force, which have been logged.
    var configurationWarnings: Set<String> = []
    /// Whether the start succeeded.
    private var hasStarted = false
    /// Whether the end is summarized: not after a failed start, nor where another process took over.
    private var isSummarized: Bool { hasStarted && !status.now.isReplaced }
    var upgrade: Upgrade?
    var receiver: UpgradeReceiver?
    private var lifecycle: Lifecycle?
    /// When clients of a relay were last reported as held, by the relay's name.
    private var heldAnnouncements: [String: Throttle] = [:]

    private init(_ plan: RunPlan, guest: Guest?) throws {
        self.plan = plan
        self.guest = guest
        outputs = try Outputs(
            plan.configuration.log, view: plan.view, terminal: plan.terminal,
            relays: plan.configuration.relays.map(\.name), showsUTC: plan.showsUTC,
            breaksLines: guest != nil || !plan.isForPerson)
        announcer = Announcer(
            outputs: outputs, isForPerson: plan.isForPerson, isQuiet: plan.isQuiet, terminal: plan.terminal)
        report = SessionReport(plan, outputs)
        manager = ServiceManager(ProcessEnvironment.all, logger: outputs.logger)
        status = ProcessStatus(
            version: Version.number, path: plan.origin?.text.path,
            directory: plan.origin?.text.directory ?? workingDirectory(), configuration: plan.configuration,
            isSuccessor: plan.inheritance.predecessor != nil)
        // From the start: the relays are served before the API.
        let hasAPI = plan.configuration.admin != nil || plan.adminFolder != nil
        journal = Journal(isKept: guest == nil && hasAPI)
        loop = try EventLoop()
    }

    /// Runs until the end. Throws where it could not start; a `SystemError` for an operating-system error.
    package static func run(_ plan: RunPlan, guest: Guest? = nil) throws {
        let supervisor = try Supervisor(plan, guest: guest)
        var failure: (any Error)?
        do {
            try supervisor.start()
        } catch {
            failure = error
            supervisor.giveUp()
        }
        supervisor.loop.run()
        supervisor.loop.close()
        if let failure { throw failure }
        if let reason = supervisor.lifecycle?.failure {
            throw CommandFailure(.failure, "tapline: the only connection failed (\(reason.rawValue))")
        }
    }

    // MARK: Starting

    private func start() throws {
        let mailbox = try Mailbox<Event>(loop: loop) { [unowned self] in $0.forEach(handle) }
        self.mailbox = mailbox
        flushTimer = Timer(loop: loop) { [unowned self] in take(.flushTimedOut) }
        if plan.inheritance.predecessor != nil { outputs.share(true) }
        if plan.namesOrigin, let path = plan.origin?.text.path {
            announcer.announce("using the configuration \(path)", particulars: ["path": "\(path)"])
        }
        // Before the workers: from the first connection on, a signal must not cut one.
        try watchSignals()
        let service = try RelayService.start(
            plan.configuration, observer: observer(mailbox), logger: outputs.logger, recordingAllTo: plan.recording,
            handedOver: plan.inheritance.relays, isSuccessor: plan.inheritance.predecessor != nil, tuning: tuning)
        self.service = service
        continueRecordings(service)
        startLifecycle(service)
        // A guest reports them itself.
        if guest == nil { announcer.announce(service.listeners, of: plan.configuration) }
        announcer.announceAuthority(of: plan.configuration)
        warn(of: plan.configuration)
        report?.started()
        try startAdmin(service, mailbox)
        if let origin = plan.origin { try prepareReloads(origin, service) }
        try prepareUpgrades()
        try guest?.started(self)
        try notifyReady()
        hasStarted = true
    }

    private var tuning: RelayService.Tuning {
        var tuning = RelayService.Tuning()
        tuning.application = "tapline \(Version.number)"
        tuning.recordsEncrypted = plan.recordsEncrypted
        tuning.keyLogPath = ProcessEnvironment.value("SSLKEYLOGFILE")
        tuning.acceptsOnlyOne = plan.lifecycle.isOnce
        if let first = plan.inheritance.firstID { tuning.firstID = first }
        tuning.stoppedRecordings = stoppedRecordings
        return tuning
    }

    private func observer(_ mailbox: Mailbox<Event>) -> Observer {
        let (outputs, journal, drainedConnections) = (outputs, journal, drainedConnections)
        let postsEnds = guest != nil || plan.lifecycle.isActive
        var observer = Observer(
            ended: { record in
                journal.closed(record)
                outputs.ended(record)
                drainedConnections.count(record)
                if postsEnds { mailbox.post(.ended(record)) }
            },
            traffic: outputs.passed,
            stopped: { mailbox.post(.workersStopped) })
        observer.wantsOpenings = outputs.showsOpenings
        observer.opened = { record in
            journal.opened(record)
            outputs.opened(record)
        }
        observer.held = { mailbox.post(.held($0)) }
        return observer
    }

    private func startLifecycle(_ service: RelayService) {
        lifecycle = Lifecycle(
            plan.lifecycle, loop: loop, announcer: announcer, service: service,
            hooks: .init(
                openConnections: { service.openConnections },
                stop: { [unowned self] reason in
                    guard sequence.state == .running else { return }
                    if let reason { announcer.announce("\(reason); exiting", hasTime: true) }
                    take(.asked)
                }))
    }

    /// After the relays, which must not wait for this.
    private func startAdmin(_ service: RelayService, _ mailbox: Mailbox<Event>) throws {
        guard guest == nil else { return }
        var services = AdminServices(
            relays: service, status: status, journal: journal, drain: { mailbox.post(.drain) },
            shutdown: {
                await withCheckedContinuation { answer in
                    if !mailbox.post(.shutdown { answer.resume(returning: $0) }) { answer.resume(returning: true) }
                }
            })
        services.reload = requestReload
        services.predecessors = predecessors
        services.command = lifecycle?.commandHistory
        services.writesEndRecords = outputs.writesEndRecords
        let admin = AdminHost(
            AdminServer(services, logger: outputs.logger), handedOver: plan.inheritance.admin,
            environmentToken: ProcessEnvironment.value(AdminSettings.tokenVariable), logger: outputs.logger
        ) { [unowned self] addresses in
            for address in addresses {
                announcer.announce("the admin API answers on \(address)", particulars: ["admin": "\(address)"])
            }
        }
        self.admin = admin
        admin.apply(try admin.prepare(plan.configuration.admin))
        guard plan.configuration.admin == nil, let folder = plan.adminFolder else { return }
        do {
            try admin.open(in: folder, on: loop)
        } catch {
            announcer.announceMissingSocket(error)
        }
    }

    private func watchSignals() throws {
        for number in [SIGINT, SIGTERM] {
            signals.append(
                try SignalWatch(loop: loop, signal: number) { [unowned self] in
                    if number == SIGINT, sequence.state != .ended { report?.interrupted() }
                    interrupted()
                })
        }
        if guest == nil {
            signals.append(try SignalWatch(loop: loop, signal: SIGUSR2) { [unowned self] in askForUpgrade() })
        }
        if plan.origin != nil {
            signals.append(try SignalWatch(loop: loop, signal: SIGHUP) { [unowned self] in _ = reload(.signal) })
        } else if signal(SIGHUP, SIG_DFL) != nil {
            // Started with nohup(1): it survives the terminal.
            signal(SIGHUP, SIG_IGN)
        } else {
            signals.append(try SignalWatch(loop: loop, signal: SIGHUP) { [unowned self] in take(.asked) })
        }
    }

    /// The start failed: everything opened so far closes, and the loop ends.
    private func giveUp() {
        service?.discardUnusedRecordings()
        // With workers, a later part failed, and the relays end in order.
        take(service == nil ? .workersStopped : .asked)
    }

    /// The configuration in force.
    var configuration: Configuration { reloader?.running ?? plan.configuration }

    /// Writes text among the end records.
    package func write(_ text: String) {
        outputs.write(text)
    }

    // MARK: Ending

    /// Ends in order, as at a signal; a second call ends at once.
    package func stop() {
        take(.asked)
    }

    private func handle(_ event: Event) {
        switch event {
        case .ended(let record):
            guest?.ended(record)
            lifecycle?.connectionEnded(record)
        case .held(let client): held(client)
        case .workersStopped: take(.workersStopped)
        case .linesWritten: take(.linesWritten)
        case .reload(let answer): answer(report(reload(.api)))
        case .drain: if sequence.state == .running { take(.asked) }
        case .pulsed: manager.pulsed()
        case .stats(let sample): sendStatus(sample)
        case .copied(let result): upgrade?.copied(result)
        case .shutdown(let answer):
            // The answer first: in the last case the admin server waits for it.
            answer(sequence.state != .running)
            take(.asked)
        }
    }

    /// SIGINT or SIGTERM. When only the upstream's command is left, the signal kills it.
    private func interrupted() {
        if lifecycle?.isEndingCommand == true { lifecycle?.endNow() } else { take(.asked) }
    }

    private func held(_ client: HeldClient) {
        // One of several clients that wait for the same upstream is enough.
        guard lifecycle?.clientHeld() != true,
            heldAnnouncements[client.relay, default: Throttle(every: Self.holdPeriod)].allows(at: loop.now)
        else { return }
        let limit = DurationText.text(of: .milliseconds(Int64(clamping: client.limit)))
        // A person reads the words of the FAILED lines, a log has the reason's code.
        guard !announcer.isAtTerminal else {
            return announcer.announce("\(client.sentence); clients are held for up to \(limit)", hasTime: true)
        }
        announcer.announce(
            "\(client.upstream) is not up (\(client.reason.rawValue)); clients are held for up to \(limit)",
            particulars: [
                "relay": "\(client.relay)", "upstream": "\(client.upstream)", "reason": "\(client.reason.rawValue)",
            ])
    }

    func take(_ event: StopSequence.Event) {
        switch sequence.handle(event) {
        case .none: break
        case .drain: drain()
        case .leave(let process): leave(to: process)
        case .stop:
            announcer.announce("stopping now")
            service?.stop()
        case .flush:
            service?.join()
            if isSummarized { report?.ended() }
            guard let lifecycle else { return flush() }
            lifecycle.end(within: configuration.shutdown.drain) { [unowned self] in flush() }
        case .end:
            outputs.join()
            close()
        case .abandon:
            abandon()
            close()
        }
    }

    private func drain() {
        upgrade?.stop()
        manager.stopping()
        let bound = configuration.shutdown.drain
        beginDraining(within: bound)
        let open = service?.openConnections ?? 0
        if open > 0 {
            announcer.announce(
                plan.terminal != nil
                    ? "\(open) open, waiting up to \(DurationText.text(of: bound)); press Ctrl-C again to stop now"
                    : plan.isForPerson
                        ? "\(open) open, waiting; press Ctrl-C again to stop now"
                        : "\(open) open, waiting up to \(DurationText.text(of: bound)); a second signal stops now")
        }
        service?.drain(within: bound)
    }

    /// Another process serves the listening sockets; open connections finish here.
    private func leave(to process: Int32) {
        let bound = configuration.shutdown.upgrade
        beginDraining(within: bound, isReplaced: true)
        announcer.announce(
            "process \(process) took over; \(service?.openConnections ?? 0) open here, waiting up to "
                + DurationText.text(of: bound),
            particulars: ["process": .stringConvertible(process)])
        service?.leave(within: bound)
    }

    private func beginDraining(within bound: Duration, isReplaced: Bool = false) {
        status.beginDraining(within: bound, isReplaced: isReplaced)
        lifecycle?.stopping()
        journal.beganDraining()
        guest?.stopping()
        watch?.close()
    }

    private func flush() {
        guard let mailbox else { return }
        // A process that ends before it takes over is reported by the one that goes on writing this log.
        let isOwner = hasStarted && receiver?.hasTakenOver != false
        if isOwner { announcer.announceStop(resets: drainedConnections.count, isReplaced: status.now.isReplaced) }
        flushTimer?.start(after: Self.flushTimeout)
        outputs.finish { mailbox.post(.linesWritten) }
    }

    /// An output accepts nothing, so its thread is left until the process ends.
    private func abandon() {
        let missing = outputs.missingEndRecords
        guard missing > 0 else { return }
        writeToStandardError(
            "tapline: up to \(missing) end records were not written, because their output is blocked\n")
    }

    private func close() {
        lifecycle?.close()
        admin?.stop()
        for event in mailbox?.close() ?? [] {
            if case .reload(let answer) = event { answer(Self.refusal(.stopping, status)) }
            if case .shutdown(let answer) = event { answer(true) }
        }
        watch?.close()
        manager.close()
        upgrade?.close()
        receiver?.close()
        flushTimer?.close()
        for signal in signals { signal.close() }
        signals = []
    }
}
