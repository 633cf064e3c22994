import Admin
import EventLoop
import Glibc
import Logging
import Sockets

/// Takes over from the process that started this one: reports that it is ready, and waits until the listening sockets
/// are its own.
///
/// On the main thread, from the moment that clients are accepted until the older process has ended.
final class UpgradeReceiver {
    private let predecessor: Int32
    private let predecessors: Predecessors
    /// Whether the older process has sent where it can be reached.
    private var isReachable = false
    private let logger: Logger
    private var channel: HandoverChannel?
    private let tookOver: () -> Void
    private let alone: () -> Void
    /// Whether this process owns all sockets and files.
    private(set) var hasTakenOver = false

    /// `predecessors` gets the older process and those before it. `tookOver` is called once, when the older process has stopped accepting: the files of Unix sockets belong to
    /// this one from then on. `alone` follows when that process has ended.
    init(
        loop: EventLoop, _ predecessor: Inheritance.Predecessor, _ predecessors: Predecessors, logger: Logger,
        tookOver: @escaping () -> Void, alone: @escaping () -> Void
    ) throws {
        self.predecessor = predecessor.id
        self.predecessors = predecessors
        self.logger = logger
        self.tookOver = tookOver
        self.alone = alone
        guard let socket = predecessor.channel.takeSocket() else { return }
        channel = try HandoverChannel(loop: loop, socket: socket) { [unowned self] event in received(event) }
    }

    /// Reports that this process accepts clients.
    func ready() {
        channel?.send(.ready)
    }

    private func received(_ event: HandoverChannel.Event) {
        switch event {
        case .line(.predecessor(let one)):
            if one.id == predecessor { isReachable = true }
            predecessors.add(one)
        case .line(.yours):
            // From a version that offers no access.
            if !isReachable { predecessors.add(Predecessor(id: predecessor, access: nil)) }
            takeOver("which lets its connections finish")
        case .line(.ready):
            break
        case .gone:
            channel = nil
            predecessors.remove(predecessor)
            if hasTakenOver {
                logger.notice(
                    "process \(predecessor), from before the upgrade, has ended",
                    metadata: ["predecessor": .stringConvertible(predecessor)])
            } else {
                // The older process keeps its end open while it lives, so it has ended.
                takeOver("which ended without a message")
            }
            alone()
        }
    }

    private func takeOver(_ what: String) {
        guard !hasTakenOver else { return }
        hasTakenOver = true
        let own = getpid()
        logger.notice(
            "process \(own) took over from process \(predecessor), \(what)",
            metadata: ["process": .stringConvertible(own), "predecessor": .stringConvertible(predecessor)])
        tookOver()
    }

    /// Closes the channel.
    func close() {
        channel?.end()
        channel = nil
    }
}
