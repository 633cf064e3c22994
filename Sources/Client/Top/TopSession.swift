import EventLoop
import Glibc
import Sockets
import Terminal
import Text

/// `tapline top` on a terminal: an event loop on the main thread for keys, signals, the tick and answers.
package final class TopSession {
    /// A message from the client's thread.
    private enum Update: Sendable {
        case snapshot(Result<TopSnapshot, CommandFailure>)
        case history(TopHistory)
        case story(UInt64, Result<JSONValue, CommandFailure>)
        /// A command succeeded or failed.
        case message(String, isTrouble: Bool)
    }

    /// The time between two snapshots, and the time after which an escape is the Escape key; milliseconds.
    private static let period: UInt64 = 1000
    private static let escapeTime: UInt64 = 50
    /// The most connections in a snapshot, without a filter and with one.
    private static let most = (plain: 500, filtered: 10_000)

    private let client: AdminClient
    private let terminal: TopTerminal
    private var model = TopModel()
    private var keys = TopKeyReader()
    private var loop: EventLoop?
    private var mailbox: Mailbox<Update>?
    private var escapeTimer: Timer?
    private var isFetching = false
    private var mustFetchAgain = false
    private var outcome: Result<Void, any Error>?

    package init(client: AdminClient, terminal: TopTerminal) {
        self.client = client
        self.terminal = terminal
    }

    /// Returns when the user or a signal ends it, with the terminal restored.
    package func run() throws {
        let loop = try EventLoop()
        defer {
            loop.closeHandles()
            loop.close()
        }
        let mailbox = try Mailbox<Update>(loop: loop) { [self] update in for item in update { handle(item) } }
        defer { mailbox.close() }
        let ticker = Timer(loop: loop) { [self] in guarded { try perform(model.tick()) } }
        let escapeTimer = Timer(loop: loop) { [self] in guarded { try handle(keys.endSequence()) } }
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
            _ = try SignalWatch(loop: loop, signal: signal) { [self] in outcome = outcome ?? .success(()) }
        }
        for signal in [SIGWINCH, SIGCONT] {
            _ = try SignalWatch(loop: loop, signal: signal) { [self] in
                terminal.forget()
                guarded {}
            }
        }
        let keyboard = try Keyboard(loop: loop) { [self] bytes in typed(bytes) }
        defer { keyboard.close() }
        self.loop = loop
        self.mailbox = mailbox
        self.escapeTimer = escapeTimer
        guarded {
            try terminal.take()
            fetch()
            fetchHistory()
        }
        ticker.start(after: Self.period, every: Self.period)
        while outcome == nil { loop.turn(wait: true) }
        terminal.release()
        try outcome?.get()
    }

    /// Runs the body and redraws; an error ends the session.
    private func guarded(_ body: () throws -> Void) {
        guard outcome == nil else { return }
        do {
            try body()
            try draw()
        } catch {
            outcome = .failure(error)
        }
    }

    private func draw() throws {
        guard outcome == nil else { return }
        let (columns, rows) = terminal.size
        let view = TopView(
            columns: columns, rows: rows, terminal: terminal.traits, address: "\(client.target.address)", zone: .local)
        model.limitStory(to: view.storyLength(model))
        model.pageLength = max(1, view.connectionRows(model) - 1)
        try terminal.show(view.lines(model).map { $0.rendered(columns: columns, terminal.traits) })
    }

    // MARK: Keys

    private func typed(_ bytes: [UInt8]) {
        // The terminal was closed.
        guard !bytes.isEmpty else { return outcome = outcome ?? .success(()) }
        guarded { try handle(keys.decode(bytes)) }
        if keys.isInSequence { escapeTimer?.start(after: Self.escapeTime) } else { escapeTimer?.stop() }
    }

    private func handle(_ keys: [TopKey]) throws {
        for key in keys where outcome == nil { try perform(model.handle(key)) }
    }

    private func perform(_ actions: [TopModel.Action]) throws {
        for action in actions {
            switch action {
            case .quit: outcome = outcome ?? .success(())
            case .refresh: fetch()
            case .redraw: terminal.forget()
            case .suspend: try suspend()
            case .kill(let id): kill(id)
            case .record(let relay, let isOn): record(relay, isOn)
            case .fetchStory(let id): fetchStory(id)
            }
        }
    }

    /// Ctrl-Z: the shell has the terminal until `fg`.
    private func suspend() throws {
        terminal.release()
        raise(SIGTSTP)
        try terminal.take()
    }

    // MARK: Asking

    private func fetch() {
        guard !isFetching else {
            mustFetchAgain = true
            return
        }
        isFetching = true
        guard let mailbox else { return }
        let limit = model.filter.isEmpty ? Self.most.plain : Self.most.filtered
        Self.fetch(client, "/v1/connections?sort=\(model.sort.rawValue)&limit=\(limit)") { result in
            mailbox.post(.snapshot(result))
        }
    }

    /// Requests the rates so far. Without them the graphs begin empty, as with a Tapline that does not have them.
    private func fetchHistory() {
        guard let mailbox else { return }
        Self.json(client, .get, "/v1/history") { result in
            guard case .success(let answer) = result else { return }
            mailbox.post(.history(TopHistory(answer, seconds: TopModel.memory)))
        }
    }

    /// Requests the three parts of a snapshot, one after the other.
    private static func fetch(
        _ client: AdminClient, _ connectionsPath: String,
        then done: @escaping @Sendable (Result<TopSnapshot, CommandFailure>) -> Void
    ) {
        parts(client, ["/v1/status", "/v1/relays", connectionsPath], []) { result in
            done(
                result.map { parts in
                    TopSnapshot(
                        status: parts[0], relays: parts[1]["relays"].elements.map(TopSnapshot.Relay.init),
                        connections: parts[2]["connections"].elements.map(TopSnapshot.Connection.init),
                        total: parts[2]["total"].count ?? 0)
                })
        }
    }

    private static func parts(
        _ client: AdminClient, _ paths: [String], _ found: [JSONValue],
        then done: @escaping @Sendable (Result<[JSONValue], CommandFailure>) -> Void
    ) {
        guard let path = paths.first else { return done(.success(found)) }
        json(client, .get, path) { result in
            switch result {
            case .success(let value): parts(client, Array(paths.dropFirst()), found + [value], then: done)
            case .failure(let failure): done(.failure(failure))
            }
        }
    }

    private func fetchStory(_ id: UInt64) {
        guard let mailbox else { return }
        Self.json(client, .get, "/v1/connections/\(id)") { mailbox.post(.story(id, $0)) }
    }

    private func kill(_ id: UInt64) {
        guard let mailbox else { return }
        Self.json(client, .delete, "/v1/connections/\(id)") { result in
            switch result {
            case .success: mailbox.post(.message("killed \(id)", isTrouble: false))
            case .failure(let failure): mailbox.post(.message(failure.line, isTrouble: true))
            }
        }
    }

    private func record(_ relay: String, _ isOn: Bool) {
        guard let mailbox else { return }
        Self.json(client, isOn ? .post : .delete, "/v1/relays/\(relay.percentEncoded)/recording") { result in
            switch result {
            case .success(let state):
                let file = state["file"].text.map { " to \($0.harmless)" } ?? ""
                let words = isOn ? "recording \(relay.harmless)\(file)" : "stopped recording \(relay.harmless)"
                mailbox.post(.message(words, isTrouble: false))
            case .failure(let failure): mailbox.post(.message(failure.line, isTrouble: true))
            }
        }
    }

    private static func json(
        _ client: AdminClient, _ verb: AdminClient.Verb, _ path: String,
        then done: @escaping @Sendable (Result<JSONValue, CommandFailure>) -> Void
    ) {
        client.fetch(verb, path, deadline: 5000) { result in
            done(
                result.flatMap { answer in
                    guard answer.status < 400 else {
                        return .failure(AdminRefusal(answer).failure(client.target))
                    }
                    return Result { () throws(CommandFailure) in try answer.json() }
                })
        }
    }

    // MARK: Update

    private func handle(_ update: Update) {
        guarded {
            switch update {
            case .snapshot(let result):
                isFetching = false
                switch result {
                case .success(let snapshot): model.adopt(snapshot)
                case .failure(let failure): model.setMessage(failure.line, isTrouble: true)
                }
                if mustFetchAgain {
                    mustFetchAgain = false
                    fetch()
                }
            case .history(let past): model.adopt(past)
            case .story(let id, let result):
                switch result {
                case .success(let story): model.adopt(story: story, of: id)
                case .failure(let failure): model.setMessage(failure.line, isTrouble: true)
                }
            case .message(let text, let isTrouble):
                model.setMessage(text, isTrouble: isTrouble)
                fetch()
            }
        }
    }
}

extension CommandFailure {
    /// The first line, without the program's name.
    fileprivate var line: String {
        let first = String(message.split(separator: "\n").first ?? "")
        return first.hasPrefix("tapline: ") ? String(first.dropFirst("tapline: ".count)) : first
    }
}

/// Passes the terminal's input on; an empty piece is its end. On the loop's thread.
private final class Keyboard: Poll {
    private let input = InputFile.standardInput
    private let typed: ([UInt8]) -> Void

    init(loop: EventLoop, typed: @escaping ([UInt8]) -> Void) throws(UVError) {
        self.typed = typed
        try super.init(loop: loop, fd: STDIN_FILENO, for: .readable)
    }

    override func ready(_ events: Events) {
        typed((try? input.read(atMost: 4096)) ?? [])
    }
}
