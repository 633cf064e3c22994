import Configuration
import EventLoop
import Glibc
import Logging
import Relay
import Sockets

/// Runs a configuration from start to end: workers, outputs, signals. On the main thread, with a loop of its own.
final class Supervisor {
    /// What to run, and how to talk about it.
    struct Plan: Sendable {
        /// What to relay.
        var configuration: Configuration
        /// How to show the traffic; nil: not at all.
        var view: TrafficView?
        /// Somebody watches: say what happens in plain words rather than as lines of a log.
        var isForPerson: Bool
        /// Nothing is said but errors.
        var isQuiet = false
        /// SIGHUP asks for a reload; otherwise it means that the terminal is gone, and ends everything in order.
        var reloads = false
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

    private init(_ plan: Plan, guest: Guest?) throws {
        self.plan = plan
        self.guest = guest
        outputs = try Outputs(plan.configuration.log, view: plan.view)
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
            plan.configuration, observer: observer(mailbox), logger: outputs.logger)
        self.service = service
        // A guest says it in its own words.
        if guest == nil { announceListeners(service) }
        try guest?.started(self)
    }

    private func observer(_ mailbox: Mailbox<Event>) -> Observer {
        let outputs = outputs
        let hasGuest = guest != nil
        return Observer(
            ended: { record in
                outputs.ended(record)
                if hasGuest { mailbox.post(.ended(record)) }
            },
            traffic: outputs.passed,
            stopped: { mailbox.post(.workersStopped) })
    }

    private func watchSignals() throws {
        for number in [SIGINT, SIGTERM] {
            signals.append(try SignalWatch(loop: loop, signal: number) { [unowned self] in take(.asked) })
        }
        if plan.reloads {
            signals.append(
                try SignalWatch(loop: loop, signal: SIGHUP) { [unowned self] in
                    outputs.logger.notice("SIGHUP: this version cannot reload yet, the configuration stays as it is")
                })
        } else if signal(SIGHUP, SIG_DFL) != nil {
            // Whoever started it with nohup(1) wants it to survive the terminal.
            signal(SIGHUP, SIG_IGN)
        } else {
            signals.append(try SignalWatch(loop: loop, signal: SIGHUP) { [unowned self] in take(.asked) })
        }
    }

    private func announceListeners(_ service: RelayService) {
        let upstreams = Dictionary(
            plan.configuration.relays.map { ($0.name, $0.upstream.description) },
            uniquingKeysWith: { first, _ in first })
        for listener in service.listeners {
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

    // MARK: Talking

    /// Says what a person wants to know of the whole, not of a connection. The particulars stand in the message, and
    /// are for programs beside.
    private func announce(_ message: String, particulars: Logger.Metadata = [:]) {
        if plan.configuration.log.format == .json {
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
        guest?.stopping()
        let bound = plan.configuration.shutdown.drain
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
        mailbox?.close()
        patience?.close()
        for signal in signals { signal.close() }
        signals = []
    }
}
