import Daemon
import EventLoop
import Relay
import Sockets

/// The demo beside its relay: runs the conversation, waits for its record, and explains it. On the main thread.
final class DemoGuest {
    /// How long the conversation and its record may take, in milliseconds.
    private static let patience: UInt64 = 10_000

    private let upstream: SocketAddress
    private let isOnce: Bool
    private var supervisor: Supervisor?
    private var conversation: DemoConversation?
    private var deadline: Timer?
    private var client: SocketAddress?
    private var isDone = false
    /// Why the conversation failed; nil when it went well.
    private(set) var failure: String?

    /// For a relay in front of the upstream. `isOnce`: end after the conversation.
    init(upstream: SocketAddress, isOnce: Bool) {
        self.upstream = upstream
        self.isOnce = isOnce
    }

    /// What the supervisor calls.
    var hooks: Guest {
        Guest(
            started: { [self] in try start($0) }, ended: { [self] in ended($0) }, stopping: { [self] in stop() })
    }

    private var relayAddresses: [SocketAddress] { supervisor?.service?.listeners.map(\.address) ?? [] }

    private func start(_ supervisor: Supervisor) throws {
        self.supervisor = supervisor
        supervisor.tell(DemoText.introduction(relay: relayAddresses, upstream: upstream))
        let deadline = Timer(loop: supervisor.loop) { [unowned self] in fail("it took too long") }
        self.deadline = deadline
        deadline.start(after: Self.patience)
        conversation = try DemoConversation(
            loop: supervisor.loop, port: relayAddresses.first?.port ?? 0
        ) { [unowned self] in took($0) }
    }

    private func took(_ step: DemoConversation.Step) {
        switch step {
        case .failed(let reason): fail(reason)
        case .connected(let local, _):
            client = local
            supervisor?.tell(DemoText.step(step))
        case .received:
            supervisor?.tell(DemoText.step(step))
            // Said before it is done: once it is closed, its record may come at any moment.
            supervisor?.tell(DemoText.step(.closed))
        case .closed: break
        case .found, .sent: supervisor?.tell(DemoText.step(step))
        }
    }

    private func ended(_ record: ConnectionRecord) {
        guard !isDone, record.client == client else { return }
        let count = UInt64(DemoConversation.greeting.utf8.count)
        guard record.end?.reason == .clientClosed, record.bytesUp == count, record.bytesDown == count else {
            return fail("its record does not tell what happened: see above")
        }
        isDone = true
        deadline?.stop()
        supervisor?.tell(DemoText.explanation(of: record))
        if isOnce {
            supervisor?.stop()
        } else {
            supervisor?.tell(DemoText.invitation(relay: relayAddresses))
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
