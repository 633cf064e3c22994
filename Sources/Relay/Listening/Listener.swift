internal import EventLoop
internal import Glibc
internal import Logging
internal import Sockets

/// One worker's watch of one bound listening socket.
///
/// Owned by its worker, on the worker's thread. Clients that cannot be accepted wait in the kernel's queue: accepting
/// pauses, it never accepts and drops. A paused listener stays in the epoll set, so that it can always resume.
final class Listener: Poll {
    /// The most clients that one event accepts.
    private static let maxAccepts = 16
    /// Consecutive full rounds of the loop after which an event accepts more clients.
    private static let fullRoundsToAskForMore = 4
    /// How long an ending listener continues to accept, nanoseconds: a full queue takes less.
    private static let lastAccepting: UInt64 = 200_000_000
    /// How long accepting pauses when the system lacks resources. Milliseconds.
    private static let resourceDelay: UInt64 = 100
    /// How long it pauses when the listener itself does not work. Milliseconds.
    private static let failureDelay: UInt64 = 1000
    /// Consecutive errors of single clients, without a client between them, that count as an error of the listener.
    private static let maxClientErrors = 256

    /// Why accepting is paused.
    private enum Pause {
        /// The only client was accepted, perhaps by another worker.
        case onlyClient
        case maxConnections, descriptors
        case system(Errno)
        case failed(String)
    }

    // MARK: Fixed at init

    let address: SocketAddress
    /// The service manager also has the socket open, and keeps its queue.
    let isHeldByManager: Bool
    private unowned(unsafe) let worker: Worker

    // MARK: The loop's thread only

    /// The relay of new connections; a reload replaces it.
    var relay: RelayRuntime
    private var socket: Socket
    private var isPaused = false
    private var retry: Timer?
    /// The clients that one event accepts. If clients arrive one at a time, trying a second accept costs as much as a
    /// connection: the kernel makes a descriptor before it finds the queue empty.
    private var asked = 1
    private var fullRounds = 0
    private var lastRound: UInt64 = 0
    private var clientErrors = 0
    /// When the listener began to fail, by the loop's clock; nil while it works.
    private var failingSince: UInt64?

    /// Takes ownership of a listening socket; `start` begins to accept.
    init(
        worker: Worker, relay: RelayRuntime, socket: consuming Socket, address: SocketAddress, isHeldByManager: Bool
    ) {
        self.worker = worker
        self.relay = relay
        self.address = address
        self.isHeldByManager = isHeldByManager
        self.socket = socket
        super.init(loop: worker.loop, fd: self.socket.fd)
    }

    /// Begins to accept. If the kernel refuses to watch the socket, it is tried again later.
    func start() {
        watch(.readable)
    }

    override func ready(_ events: Events) {
        guard !isPaused else { return }
        let isNext = worker.loop.rounds &- lastRound <= 1
        lastRound = worker.loop.rounds
        guard acceptSome(atMost: asked) else {
            asked = 1
            fullRounds = 0
            return
        }
        // Remaining clients are reported again in the next round.
        fullRounds = isNext ? fullRounds + 1 : 0
        guard fullRounds >= Self.fullRoundsToAskForMore, asked < Self.maxAccepts else { return }
        asked *= 4
        fullRounds = 0
    }

    override func watchFailed(_ error: UVError) {
        worker.countAcceptError(of: relay)
        // A listener that is already paused is tried again when it can accept.
        pause(.failed("epoll: \(error) (\(error.name))"))
    }

    /// Accepts a bounded number of clients. Returns whether there may be more.
    @discardableResult
    private func acceptSome(atMost most: Int = maxAccepts) -> Bool {
        for _ in 0..<most {
            if let only = worker.shared.onlyClient, !only.take(1) {
                pause(.onlyClient)
                return false
            }
            guard relay.slots.take(1) else {
                worker.shared.onlyClient?.give(1)
                pause(.maxConnections)
                return false
            }
            guard worker.shared.descriptors.take(2) else {
                relay.slots.give(1)
                worker.shared.onlyClient?.give(1)
                worker.shared.freeIdlePipes()
                pause(.descriptors)
                return false
            }
            switch socket.accept() {
            case .client(let client, let address):
                clientErrors = 0
                prepare(client, from: address)
                worker.accepted(client, from: address, at: self)
                if worker.shared.onlyClient != nil { worker.shared.post(.closeListeners) }
            case .queueEmpty:
                giveBack()
                return false
            case .failed(let error):
                giveBack()
                guard acceptFailed(error) else { return false }
            }
        }
        return true
    }

    /// Sets the options that an accepted socket does not inherit from the listener. A refusal does not end the
    /// connection.
    private func prepare(_ socket: borrowing Socket, from client: SocketAddress) {
        // Sockets of a loopback listener inherit it.
        guard let name = worker.shared.system.loopbackCongestionControl, client.isLoopback, !address.isLoopback else {
            return
        }
        do {
            try socket.setCongestionControl(name)
        } catch {
            worker.logger.debug("congestion control refused by the system", metadata: ["error": "\(error.name)"])
        }
    }

    private func giveBack() {
        worker.shared.descriptors.give(2)
        relay.slots.give(1)
        worker.shared.onlyClient?.give(1)
    }

    /// Returns whether to accept the next client at once.
    private func acceptFailed(_ error: Errno) -> Bool {
        worker.countAcceptError(of: relay)
        switch AcceptError(error) {
        case .ofOneClient where clientErrors < Self.maxClientErrors:
            clientErrors += 1
            worker.logger.debug(
                "a client disconnected before it was accepted",
                metadata: ["listener": "\(address)", "error": "\(error.name)"])
            return true
        case .ofResources:
            pause(.system(error))
        case .ofOneClient, .ofListener:
            pause(.failed("accept: \(error) (\(error.name))"))
        }
        return false
    }

    // MARK: Pausing

    private func pause(_ reason: Pause) {
        guard !isPaused, !isClosed else { return }
        isPaused = true
        rest()
        var metadata: Logger.Metadata = ["relay": "\(relay.name)", "listener": "\(address)"]
        switch reason {
        case .onlyClient:
            return
        case .maxConnections:
            metadata["reason"] = "max_connections"
        case .descriptors:
            metadata["reason"] = "descriptors"
        case .system(let error):
            metadata["reason"] = "system"
            metadata["error"] = "\(error) (\(error.name))"
            // No event reports that the system has resources again.
            resumeLater(Self.resourceDelay)
        case .failed(let error):
            clientErrors = 0
            resumeLater(Self.failureDelay)
            failed(error)
            return
        }
        worker.noteAcceptPause(of: relay, metadata)
    }

    private func resumeLater(_ milliseconds: UInt64) {
        let timer = retry ?? Timer(loop: worker.loop) { [unowned self] in resume() }
        retry = timer
        timer.start(after: milliseconds)
    }

    /// The listener does not work. One error is logged; it is tried again every second, and its recovery is logged.
    private func failed(_ error: String) {
        guard failingSince == nil else { return }
        failingSince = worker.loop.now
        worker.countAcceptPause(of: relay)
        worker.logger.error(
            "a listener cannot accept clients; retrying every second",
            metadata: ["relay": "\(relay.name)", "listener": "\(address)", "error": "\(error)"])
    }

    private func recovered() {
        guard let since = failingSince else { return }
        failingSince = nil
        worker.logger.notice(
            "a listener accepts clients again",
            metadata: [
                "relay": "\(relay.name)", "listener": "\(address)",
                "after_ms": .stringConvertible(worker.loop.now &- since),
            ])
    }

    /// Accepting may be possible again.
    func resume() {
        guard isPaused, !isClosed else { return }
        isPaused = false
        // A second refusal pauses again, before anything is watched.
        if acceptSome() || !isPaused { watch(.readable) }
        if !isPaused { recovered() }
    }

    /// A copy of its socket for another process.
    func copy(from lowest: Int32) throws(Errno) -> ListenerCopy {
        ListenerCopy(address: address, cookie: socket.cookie, socket: SocketParcel(try socket.duplicate(from: lowest)))
    }

    // MARK: Ending

    /// Accepts the waiting clients, as far as the limits allow, and closes: closing alone would reset them. Clients
    /// that arrive later are not waited for.
    func end(acceptingWaiting: Bool) {
        let start = EventLoop.nanoseconds
        while acceptingWaiting, !isPaused, acceptSome() {
            if EventLoop.nanoseconds(since: start) > Self.lastAccepting { break }
        }
        close()
        retry?.close()
        retry = nil
        socket.close()
    }
}
