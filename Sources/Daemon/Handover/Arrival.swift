import EventLoop
import Glibc
import Logging
import Sockets

/// Takes the place of the process that started this one: says that it is ready, and waits until all is its own.
///
/// On the main thread, from the moment that clients are accepted until the older process has ended.
final class Arrival {
    private let predecessor: Int32
    private let logger: Logger
    private var channel: HandoverChannel?
    private let tookOver: () -> Void
    private let alone: () -> Void
    /// Whether all is this process's own.
    private(set) var hasTakenOver = false

    /// `tookOver` is called once, when the older process accepts no more: the files of Unix sockets are ours from then
    /// on. `alone` follows when that process has ended.
    init(
        loop: EventLoop, _ predecessor: Inheritance.Predecessor, logger: Logger, tookOver: @escaping () -> Void,
        alone: @escaping () -> Void
    ) throws {
        self.predecessor = predecessor.id
        self.logger = logger
        self.tookOver = tookOver
        self.alone = alone
        guard let socket = predecessor.channel.take() else { return }
        channel = try HandoverChannel(loop: loop, socket: socket) { [unowned self] event in heard(event) }
    }

    /// Clients are accepted.
    func ready() {
        channel?.say(.ready)
    }

    private func heard(_ event: HandoverChannel.Event) {
        switch event {
        case .word(.yours):
            takeOver("which lets its connections finish")
        case .word(.ready):
            break
        case .gone:
            channel = nil
            if hasTakenOver {
                logger.notice(
                    "process \(predecessor), which was here before, has ended",
                    metadata: ["predecessor": "\(predecessor)"])
            } else {
                // It cannot have gone on: it keeps its end for as long as it lives.
                takeOver("which has ended without a word")
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
            metadata: ["process": "\(own)", "predecessor": "\(predecessor)"])
        tookOver()
    }

    /// Listens no more.
    func close() {
        channel?.end()
        channel = nil
    }
}
