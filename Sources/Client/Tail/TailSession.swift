import EventLoop
import Glibc
import Recording
import Show
import Sockets
import Terminal
import Text

/// Follows live traffic, on a loop of the main thread. It reads no faster than it writes; the server leaves out the
/// rest, and counts it.
package final class TailSession {
    private let client: AdminClient
    private let path: String
    private let what: String
    /// The only connection to show; nil: all.
    private let connection: UInt64?
    private let output = ClientOutput()
    private let reader = RecordingReader(keepsPrefixes: false)
    /// Nil: the recording is written unchanged.
    private var view: (any RecordingView)?
    /// The answer's status; 0 before it is received.
    private var status = 0
    private var refusal: [UInt8] = []
    private var outcome: Result<Void, any Error>?
    private var exchange: HTTPExchange?

    /// `includesEncrypted`: the recording includes the encrypted bytes of TLS, and their keys.
    package init(
        client: AdminClient, relay: String?, connection: UInt64?, includesEncrypted: Bool = false, format: TailFormat,
        utc: Bool
    ) {
        self.client = client
        self.connection = connection
        var query: [String] = []
        if let relay { query.append("relay=\(relay.percentEncoded)") }
        if let connection { query.append("connection=\(connection)") }
        if includesEncrypted { query.append("encrypted=true") }
        path = "/v1/tap" + (query.isEmpty ? "" : "?\(query.joined(separator: "&"))")
        what = connection.map { "connection \($0)" } ?? relay.map { "relay \($0.harmless)" } ?? "every relay"
        let times: TimeText = ClientOutput.isTerminal && !utc ? .localClock : .utc
        let width = TerminalWidth.ofLines
        view =
            switch format {
            case .text: TrafficPrintView(.text, output.terminal, times: times, columns: width)
            case .hex: TrafficPrintView(.hex, output.terminal, times: times, columns: width)
            case .json: JSONView()
            case .pcapng: nil
            }
    }

    /// Shows traffic until the stream or the user ends it.
    package func run() throws {
        let loop = try EventLoop()
        defer {
            loop.closeHandles()
            loop.close()
        }
        let mailbox = try Mailbox<HTTPExchange.Event>(loop: loop) { [self] events in handle(events) }
        defer { mailbox.close() }
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            _ = try SignalWatch(loop: loop, signal: signal) { [self] in outcome = outcome ?? .success(()) }
        }
        exchange = client.stream(path) { event in mailbox.post(event) }
        while outcome == nil { loop.turn(wait: true) }
        exchange?.cancel()
        try outcome?.get()
    }

    private func handle(_ events: [HTTPExchange.Event]) {
        for event in events where outcome == nil {
            do {
                try handle(event)
            } catch {
                outcome = .failure(error)
            }
        }
    }

    private func handle(_ event: HTTPExchange.Event) throws {
        switch event {
        case .head(let status):
            self.status = status
            // There may be no traffic for a long while: the message shows that the command is not stuck.
            if status < 400, ClientOutput.isTerminal, OutputFile.standardError.isTerminal {
                writeToStandardError("tapline: following \(what); press Ctrl-C to stop\n")
            }
        case .body(let bytes):
            if status >= 400 { refusal += bytes } else { try show(bytes) }
        case .pause: exchange?.more()
        case .end:
            guard status < 400 else {
                throw AdminRefusal(AdminClient.Answer(status: status, body: refusal)).failure(client.target)
            }
            try finish()
            outcome = .success(())
        case .failed(.cut) where status > 0 && status < 400:
            try finish()
            throw CommandFailure(.failure, "tapline: the Tapline at \(client.target.address) has ended")
        case .failed(let trouble): throw trouble.failure(client.target)
        }
    }

    // MARK: Showing

    private func show(_ bytes: [UInt8]) throws {
        if view == nil { try output.write(bytes) }
        // A recording that is passed on unchanged is read, too: the end of its only connection ends the command.
        guard view != nil || connection != nil else { return }
        reader.append(bytes)
        try showEvents()
    }

    private func finish() throws {
        guard view != nil else { return }
        try? reader.finish()
        try showEvents()
    }

    private func showEvents() throws {
        var text: [UInt8] = []
        do {
            while let event = try reader.next() {
                view?.append(event, into: &text)
                if case .ended(let conversation) = event, conversation.leg == nil, conversation.id == connection {
                    outcome = outcome ?? .success(())
                }
            }
        } catch {
            try output.write(text)
            throw CommandFailure(.failure, "tapline: the stream \(error)")
        }
        view?.flush(into: &text)
        if !text.isEmpty { try output.write(text) }
    }
}
