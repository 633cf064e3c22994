internal import EventLoop
internal import Glibc
internal import Logging
internal import Sockets

/// One bound listening socket as one worker watches it.
///
/// Owned by its worker, on the worker's thread. Clients that cannot be taken wait in the kernel's queue: accepting
/// pauses, it never accepts and drops.
final class Listener: Poll {
    /// How many clients one event accepts at most.
    private static let mostAtOnce = 16
    /// So many rounds of the loop in a row with as many clients as were asked for, and the next ones ask for more.
    private static let fullRoundsToAskForMore = 4
    /// How long a listener that ends goes on accepting, nanoseconds: a full queue takes less.
    private static let lastAccepting: UInt64 = 200_000_000
    /// How long accepting rests after the system refused. Milliseconds.
    private static let backOff: UInt64 = 100

    /// Why accepting rests.
    private enum Pause {
        case maxConnections, descriptors, system(Errno)
    }

    // MARK: Fixed at birth

    let address: SocketAddress
    /// The service manager has the socket open too, and keeps its queue.
    let isHeldByManager: Bool
    private unowned(unsafe) let worker: Worker

    // MARK: The loop's thread only

    /// What new connections belong to; a reload replaces it.
    var relay: RelayRuntime
    private var socket: Socket
    private var isPaused = false
    private var retry: Timer?
    /// How many clients an event accepts now. Where one comes at a time, asking for a second costs what a connection
    /// does: the kernel makes a descriptor before it finds that nobody waits.
    private var asked = 1
    private var fullRounds = 0
    private var lastRound: UInt64 = 0

    init(
        worker: Worker, relay: RelayRuntime, socket: consuming Socket, address: SocketAddress, isHeldByManager: Bool
    ) throws(UVError) {
        self.worker = worker
        self.relay = relay
        self.address = address
        self.isHeldByManager = isHeldByManager
        self.socket = socket
        try super.init(loop: worker.loop, fd: self.socket.fd, for: .readable)
    }

    override func ready(_ events: Events) {
        let isNext = worker.loop.rounds &- lastRound <= 1
        lastRound = worker.loop.rounds
        guard acceptSome(atMost: asked) else {
            asked = 1
            fullRounds = 0
            return
        }
        // Whoever is left is told of in the next round.
        fullRounds = isNext ? fullRounds + 1 : 0
        guard fullRounds >= Self.fullRoundsToAskForMore, asked < Self.mostAtOnce else { return }
        asked *= 4
        fullRounds = 0
    }

    /// Takes whom it can, a bounded number. Returns whether there may be more.
    @discardableResult
    private func acceptSome(atMost most: Int = mostAtOnce) -> Bool {
        for _ in 0..<most {
            guard relay.places.take(1) else {
                pause(.maxConnections)
                return false
            }
            guard worker.shared.descriptors.take(2) else {
                relay.places.give(1)
                worker.shared.freeIdlePipes()
                pause(.descriptors)
                return false
            }
            switch socket.accept() {
            case .client(let client, let address):
                worker.accepted(client, from: address, at: self)
                continue
            case .nobody:
                giveBack()
                return false
            case .failed(let error):
                giveBack()
                switch error.code {
                case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                    pause(.system(error))
                    return false
                default:
                    // The client is gone already (ECONNABORTED), or its network is (accept(2)): on to the next.
                    worker.logger.debug(
                        "a client was gone before it was accepted",
                        metadata: ["listener": "\(address)", "error": "\(error.name)"])
                }
            }
        }
        return true
    }

    private func giveBack() {
        worker.shared.descriptors.give(2)
        relay.places.give(1)
    }

    // MARK: Pausing

    private func pause(_ reason: Pause) {
        guard !isPaused else { return }
        isPaused = true
        rest()
        worker.acceptPauses += 1
        var metadata: Logger.Metadata = ["relay": "\(relay.name)", "listener": "\(address)"]
        switch reason {
        case .maxConnections:
            metadata["reason"] = "max_connections"
        case .descriptors:
            metadata["reason"] = "descriptors"
        case .system(let error):
            metadata["reason"] = "system"
            metadata["error"] = "\(error) (\(error.name))"
            // Nobody tells when the system can again.
            retry = retry ?? (try? Timer(loop: worker.loop) { [unowned self] in resume() })
            retry?.start(after: Self.backOff)
        }
        worker.noteAcceptPause(of: relay, metadata)
    }

    /// There may be room again.
    func resume() {
        guard isPaused, !isClosed else { return }
        isPaused = false
        // A second refusal pauses anew, before anything is watched.
        if acceptSome() || !isPaused { watch(.readable) }
    }

    /// A copy of its socket for another process.
    func copy(from lowest: Int32) throws(Errno) -> ListenerCopy {
        ListenerCopy(address: address, cookie: socket.cookie, socket: SocketParcel(try socket.duplicate(from: lowest)))
    }

    // MARK: Ending

    /// Accepts who waits, as far as there is room, and closes: closing would reset them. Clients that go on coming are
    /// not waited for.
    func end(acceptingWhoWaits: Bool) {
        let start = EventLoop.nanoseconds
        while acceptingWhoWaits, !isPaused, acceptSome() {
            if EventLoop.nanoseconds &- start > Self.lastAccepting { break }
        }
        close()
        retry?.close()
        retry = nil
        socket.close()
    }
}
