import Admin
import Configuration
import EventLoop
import Glibc
import Logging
import Relay
import Sockets
import Text

/// Runs a configuration from start to end: workers, outputs, signals. On the main thread, with a loop of its own.
final class Supervisor {
    /// What to run, and how to talk about it.
    struct Plan: Sendable {
        /// What to relay.
        var configuration: Configuration
        /// How to show the traffic; nil: not at all.
        var view: TrafficView?
        /// Where everything is recorded to; nil: nowhere, or as the relays say.
        var recording: RecordingTarget?
        /// Somebody watches: say what happens in plain words rather than as lines of a log.
        var isForPerson: Bool
        /// Nothing is said but errors.
        var isQuiet = false
        /// Where the configuration comes from: SIGHUP asks for a reload, and the file is watched. Without it SIGHUP
        /// means that the terminal is gone, and ends everything in order.
        var origin: Reloader.Origin?
    }

    /// What a guest does beside, on the main thread: the demo.
    struct Guest {
        /// Everything is up.
        var started: (Supervisor) throws -> Void
        /// A connection ended.
        var ended: (ConnectionRecord) -> Void
        /// Tapline is about to stop; what the guest opened on the loop closes.
        var stopping: () -> Void
    }

    private enum Event: Sendable {
        case ended(ConnectionRecord)
        case workersStopped
        case linesWritten
        case reload(@Sendable (ReloadReport) -> Void)
        case drain
        /// Answered with whether everything ends at once.
        case shutdown(@Sendable (Bool) -> Void)
    }

    /// How long the last lines may take, in milliseconds.
    private static let patience: UInt64 = 5000

    // MARK: Fixed at birth
    let loop: EventLoop
    private let plan: Plan
    private let outputs: Outputs
    private let guest: Guest?

    // MARK: The main thread only
    private var sequence = StopSequence()
    private var mailbox: Mailbox<Event>?
    private var signals: [SignalWatch] = []
    private var patience: Timer?
    private(set) var service: RelayService?
    private let standing: Standing
    private let journal = Journal()
    private var admin: AdminHost?
    private var reloader: Reloader?
    private var watch: ConfigurationWatch?

    private init(_ plan: Plan, guest: Guest?) throws {
        self.plan = plan
        self.guest = guest
        outputs = try Outputs(plan.configuration.log, view: plan.view)
        standing = Standing(
            version: Tapline.versionNumber, path: plan.origin?.text.path,
            directory: try plan.origin?.text.directory ?? workingDirectory(), configuration: plan.configuration)
        loop = try EventLoop()
    }

    /// Runs until it is over. Throws when it could not start, a `SystemError` where the system said no.
    static func run(_ plan: Plan, guest: Guest? = nil) throws {
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
    }

    // MARK: Starting

    private func start() throws {
        let mailbox = try Mailbox<Event>(loop: loop) { [unowned self] in $0.forEach(handle) }
        self.mailbox = mailbox
        patience = try Timer(loop: loop) { [unowned self] in take(.patienceLost) }
        // Before the workers: from the first connection on, a signal must not cut anything.
        try watchSignals()
        let service = try RelayService.start(
            plan.configuration, observer: observer(mailbox), logger: outputs.logger, recordingAllTo: plan.recording,
            tuning: tuning)
        self.service = service
        // A guest says it in its own words.
        if guest == nil { announce(service.listeners, of: plan.configuration) }
        try startAdmin(service, mailbox)
        if let origin = plan.origin { try prepareReloads(origin, service) }
        try guest?.started(self)
    }

    private var tuning: RelayService.Tuning {
        var tuning = RelayService.Tuning()
        tuning.application = "tapline \(Tapline.versionNumber)"
        return tuning
    }

    private func observer(_ mailbox: Mailbox<Event>) -> Observer {
        let (outputs, journal) = (outputs, journal)
        let hasGuest = guest != nil
        var observer = Observer(
            ended: { record in
                journal.closed(record)
                outputs.ended(record)
                if hasGuest { mailbox.post(.ended(record)) }
            },
            traffic: outputs.passed,
            stopped: { mailbox.post(.workersStopped) })
        observer.opened = { journal.opened($0) }
        return observer
    }

    /// After the relays: whoever waits for them must not wait for this.
    private func startAdmin(_ service: RelayService, _ mailbox: Mailbox<Event>) throws {
        guard guest == nil else { return }
        var services = AdminServices(
            relays: service, standing: standing, journal: journal, drain: { mailbox.post(.drain) },
            shutdown: {
                await withCheckedContinuation { answer in
                    if !mailbox.post(.shutdown { answer.resume(returning: $0) }) { answer.resume(returning: true) }
                }
            })
        services.reload = requestReload
        let admin = AdminHost(
            AdminServer(services, logger: outputs.logger),
            environmentToken: ProcessEnvironment.value(AdminSettings.tokenVariable), logger: outputs.logger
        ) { [unowned self] addresses in
            for address in addresses {
                announce("the admin API answers on \(address)", particulars: ["admin": "\(address)"])
            }
        }
        self.admin = admin
        admin.apply(try admin.prepare(plan.configuration.admin))
    }

    private func watchSignals() throws {
        for number in [SIGINT, SIGTERM] {
            signals.append(try SignalWatch(loop: loop, signal: number) { [unowned self] in take(.asked) })
        }
        if plan.origin != nil {
            signals.append(try SignalWatch(loop: loop, signal: SIGHUP) { [unowned self] in _ = reload(.signal) })
        } else if signal(SIGHUP, SIG_DFL) != nil {
            // Whoever started it with nohup(1) wants it to survive the terminal.
            signal(SIGHUP, SIG_IGN)
        } else {
            signals.append(try SignalWatch(loop: loop, signal: SIGHUP) { [unowned self] in take(.asked) })
        }
    }

    private func announce(_ listeners: [RelayService.BoundListener], of configuration: Configuration) {
        let upstreams = Dictionary(
            configuration.relays.map { ($0.name, $0.upstream.description) }, uniquingKeysWith: { first, _ in first })
        for listener in listeners {
            let upstream = upstreams[listener.relay] ?? "?"
            announce(
                "\(listener.relay) listens on \(listener.address), forwards to \(upstream)",
                particulars: [
                    "relay": "\(listener.relay)", "listener": "\(listener.address)", "upstream": "\(upstream)",
                ])
        }
    }

    /// It could not start: what there is closes, and the loop runs empty.
    private func giveUp() {
        // With workers it was the guest that failed, and the relay ends in order.
        take(service == nil ? .workersStopped : .asked)
    }

    // MARK: Reloading

    private func prepareReloads(_ origin: Reloader.Origin, _ service: RelayService) throws {
        let reloader = Reloader(
            origin, running: plan.configuration, outputs: outputs, admin: admin, standing: standing, journal: journal,
            logger: outputs.logger
        ) {
            [unowned self] (configuration, generation, drain) throws(SystemError) in
            let before = Set(service.listeners)
            try service.apply(configuration, generation: generation, drain: drain)
            // What the file says need not be said again, but nobody knows a free port before it is bound.
            let configured = Set(configuration.relays.flatMap(\.listen).flatMap(\.socketAddresses))
            let free = service.listeners.filter { !before.contains($0) && !configured.contains($0.address) }
            announce(free, of: configuration)
        }
        self.reloader = reloader
        let path = origin.text.directory + "/" + (origin.text.path.split(separator: "/").last ?? "")
        guard FileSignature.isPlainFile(path) else {
            outputs.logger.notice("\(origin.text.path) is no plain file: it is not watched, and cannot be reloaded")
            return
        }
        watch = try ConfigurationWatch(
            loop: loop, path: path, included: { reloader.includedPaths }, logger: outputs.logger
        ) { reloader.look() }
    }

    /// The report of a reload just done; of one that was not tried there is none but this.
    private func report(_ outcome: ReloadOutcome) -> ReloadReport {
        if case .rejected(.stopping) = outcome { return Self.stopping(standing) }
        return standing.now.lastReload ?? Self.stopping(standing)
    }

    private func reload(_ source: ReloadSource) -> ReloadOutcome {
        guard sequence.state == .running, let reloader else { return .rejected(.stopping) }
        return reloader.reload(source)
    }

    /// How any thread asks for a reload, and hears what came of it; answers also when Tapline is stopping. Nil where
    /// there is no file to reload.
    private var requestReload: (@Sendable () async -> ReloadReport)? {
        guard plan.origin != nil, let mailbox else { return nil }
        let standing = standing
        return {
            await withCheckedContinuation { answer in
                if !mailbox.post(.reload { answer.resume(returning: $0) }) {
                    answer.resume(returning: Self.stopping(standing))
                }
            }
        }
    }

    /// What is answered when it is too late.
    private static func stopping(_ standing: Standing) -> ReloadReport {
        ReloadOutcome.rejected(.stopping).report(.api, generation: standing.now.generation, milliseconds: 0)
    }

    /// The configuration in force.
    private var configuration: Configuration { reloader?.running ?? plan.configuration }

    // MARK: Talking

    /// Says what a person wants to know of the whole, not of a connection. The particulars stand in the message, and
    /// are for programs beside.
    private func announce(_ message: String, particulars: Logger.Metadata = [:]) {
        if outputs.format == .json {
            outputs.logger.notice("\(message)", metadata: particulars)
        } else if !plan.isForPerson {
            outputs.logger.notice("\(message)")
        } else if !plan.isQuiet {
            outputs.say("tapline: \(message)\n")
        }
    }

    /// Writes text among the end records.
    func tell(_ text: String) {
        outputs.tell(text)
    }

    // MARK: Ending

    /// Ends in order, as a signal does; a second time at once.
    func stop() {
        take(.asked)
    }

    private func handle(_ event: Event) {
        switch event {
        case .ended(let record): guest?.ended(record)
        case .workersStopped: take(.workersStopped)
        case .linesWritten: take(.linesWritten)
        case .reload(let answer): answer(report(reload(.api)))
        case .drain: if sequence.state == .running { take(.asked) }
        case .shutdown(let answer):
            // First the answer: where this is the end, the admin server waits for it.
            answer(sequence.state != .running)
            take(.asked)
        }
    }

    private func take(_ event: StopSequence.Event) {
        switch sequence.handle(event) {
        case .none: break
        case .drain: drain()
        case .stop:
            announce("stopping now")
            service?.stop()
        case .flush:
            service?.join()
            flush()
        case .leave:
            outputs.join()
            close()
        case .abandon:
            abandon()
            close()
        }
    }

    private func drain() {
        standing.beginDraining()
        journal.beganDraining()
        guest?.stopping()
        watch?.close()
        let bound = configuration.shutdown.drain
        let open = service?.openConnections ?? 0
        if open > 0 {
            announce(
                plan.isForPerson
                    ? "\(open) open, waiting; Ctrl-C again to stop now"
                    : "\(open) open, waiting up to \(DurationText.text(of: bound)); a second signal stops now")
        }
        service?.drain(within: bound)
    }

    private func flush() {
        guard let mailbox else { return }
        patience?.start(after: Self.patience)
        outputs.finish { mailbox.post(.linesWritten) }
    }

    /// An output takes nothing, so its thread is left to the end of the process.
    private func abandon() {
        let missing = outputs.missingEndRecords
        guard missing > 0 else { return }
        writeToStandardError("tapline: up to \(missing) end records were not written, their output takes nothing\n")
    }

    private func close() {
        admin?.stop()
        for event in mailbox?.close() ?? [] {
            if case .reload(let answer) = event { answer(Self.stopping(standing)) }
            if case .shutdown(let answer) = event { answer(true) }
        }
        watch?.close()
        patience?.close()
        for signal in signals { signal.close() }
        signals = []
    }
}
