import Daemon
import EventLoop
import Relay
import Sockets
import Terminal

/// Runs the conversation while the relay runs, waits for its end record, and explains it. On the main thread.
final class DemoGuest {
    /// The bound for the conversation and its record, in milliseconds.
    private static let timeout: UInt64 = 10_000

    private let upstream: SocketAddress
    private let isOnce: Bool
    private var supervisor: Supervisor?
    private var conversation: DemoConversation?
    private var deadline: Timer?
    private var client: SocketAddress?
    private var isDone = false
    /// Why the conversation failed; nil on success.
    private(set) var failure: String?

    /// For a relay in front of the upstream. `isOnce`: end after the conversation.
    init(upstream: SocketAddress, isOnce: Bool) {
        self.upstream = upstream
        self.isOnce = isOnce
    }

    /// The supervisor's hooks.
    var hooks: Guest {
        Guest(
            started: { [self] in try start($0) }, ended: { [self] in ended($0) }, stopping: { [self] in stop() })
    }

    private var relayAddresses: [SocketAddress] { supervisor?.service?.listeners.map(\.address) ?? [] }

    private func start(_ supervisor: Supervisor) throws {
        self.supervisor = supervisor
        supervisor.write(DemoText.introduction(relay: relayAddresses, upstream: upstream))
        let deadline = Timer(loop: supervisor.loop) { [unowned self] in fail("it took too long") }
        self.deadline = deadline
        deadline.start(after: Self.timeout)
        conversation = try DemoConversation(
            loop: supervisor.loop, port: relayAddresses.first?.port ?? 0
        ) { [unowned self] in took($0) }
    }

    private func took(_ step: DemoConversation.Step) {
        switch step {
        case .failed(let reason): fail(reason)
        case .connected(let local, _):
            client = local
            supervisor?.write(DemoText.step(step))
        case .received:
            supervisor?.write(DemoText.step(step))
            // Printed before the close: after it, the record may arrive at any moment.
            supervisor?.write(DemoText.step(.closed))
        case .closed: break
        case .found, .sent: supervisor?.write(DemoText.step(step))
        }
    }

    private func ended(_ record: ConnectionRecord) {
        guard !isDone, record.client == client else { return }
        let count = UInt64(DemoConversation.greeting.utf8.count)
        guard record.end?.reason == .clientClosed, record.bytesUp == count, record.bytesDown == count else {
            return fail("its record does not say what happened: see above")
        }
        isDone = true
        deadline?.stop()
        supervisor?.write(
            DemoText.explanation(
                up: record.bytesUp, down: record.bytesDown, columns: TerminalWidth.ofLines?() ?? .max))
        if isOnce {
            supervisor?.stop()
        } else {
            supervisor?.write(DemoText.invitation(relay: relayAddresses))
        }
    }

    private func fail(_ reason: String) {
        guard !isDone else { return }
        isDone = true
        failure = reason
        supervisor?.stop()
    }

    private func stop() {
        if !isDone {
            isDone = true
            if isOnce { failure = "it was interrupted" }
        }
        conversation?.close()
        conversation = nil
        deadline?.close()
        deadline = nil
        supervisor = nil
    }
}
