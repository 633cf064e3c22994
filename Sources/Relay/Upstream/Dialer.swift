internal import Configuration
internal import EventLoop
internal import Glibc
internal import Sockets

/// Connects the upstream of one connection: looks its name up, then tries the addresses by RFC 8305, each 250 ms after
/// the one before or as soon as that has failed, and takes the first that connects.
///
/// Owned by its connection for as long as it connects, on the worker's thread. It tells the connection once, unless
/// `cancel` comes first. The connect timeout is the connection's to watch.
final class Dialer {
    /// RFC 8305, section 8: the recommended delay between two attempts. Milliseconds.
    static let attemptDelay: UInt64 = 250
    /// A Unix socket whose queue is full cannot be waited for; it is tried again after this delay. Milliseconds.
    private static let unixRetryDelay: UInt64 = 10
    /// The most addresses that are tried at once: a name with many dead ones must not use up the descriptors.
    private static let mostAttempts = 4

    private unowned(unsafe) let connection: Connection
    private unowned(unsafe) let worker: Worker
    private var remaining: ArraySlice<SocketAddress> = []
    private var attempts: [Attempt] = []
    /// Descriptors that were taken for attempts beside the first.
    private var furtherDescriptors = 0
    private var delay: Timer?
    private var failure = DialFailure.nothingTried
    private var isDone = false
    private(set) var isWaitingForName = false
    /// The address that was tried last.
    private(set) var lastTried: SocketAddress?

    init(connection: Connection) {
        self.connection = connection
        worker = connection.worker
    }

    /// Starts. The connection may be told before this returns.
    func start() {
        switch connection.target {
        case .address(let address):
            tryOnly(address)
        case .linkLocal(let address, let zone, let port):
            do throws(Errno) {
                tryOnly(.ipv6(address, port: port, scope: try SocketAddress.scope(ofZone: zone)))
            } catch {
                fail(DialFailure(lookingUpInterface: error))
            }
        case .originalDestination:
            guard let destination = connection.interception?.destination else { return fail(failure) }
            tryOnly(destination)
        case .name(let host, _):
            if let answer = worker.names.addresses(of: host, for: self) {
                found(answer)
            } else {
                isWaitingForName = true
            }
        }
    }

    /// Gives up: nothing is told, nothing is left open.
    func cancel() {
        isDone = true
        if isWaitingForName, case .name(let host, _) = connection.target {
            worker.names.stopWaiting(for: host, self)
        }
        delay?.close()
        delay = nil
        for attempt in attempts { attempt.end() }
        attempts = []
        giveDescriptors()
    }

    /// The name's addresses, or why there are none.
    func found(_ answer: Result<[SocketAddress], NameLookup.Failure>) {
        isWaitingForName = false
        guard !isDone, case .name(_, let port) = connection.target else { return }
        switch answer {
        case .success(let addresses):
            remaining = addresses.map { $0.with(port: port) }[...]
            tryNext()
        case .failure(.notFound):
            fail(DialFailure(reason: .nameNotFound, errno: nil, address: nil))
        case .failure(.failed):
            fail(DialFailure(reason: .nameLookupFailed, errno: nil, address: nil))
        }
    }

    // MARK: Attempts

    /// The usual case, without a list: one address, connected or refused at once on loopback.
    private func tryOnly(_ address: SocketAddress) {
        remaining = []
        attempt(address)
        finishIfExhausted()
    }

    private func tryNext() {
        while !isDone, takeDescriptor(), let address = remaining.popFirst() {
            if attempt(address) { break }
            giveDescriptors()
        }
        guard !isDone else { return }
        finishIfExhausted()
        if !isDone && !remaining.isEmpty { later(Self.attemptDelay) { $0.tryNext() } }
    }

    /// The connection has one descriptor for its upstream; every further attempt beside the first needs its own.
    private func takeDescriptor() -> Bool {
        guard !remaining.isEmpty, attempts.count < Self.mostAttempts else { return false }
        guard !attempts.isEmpty else { return true }
        guard worker.shared.descriptors.takeIfThere(1) else { return false }
        furtherDescriptors += 1
        return true
    }

    /// Attempts are over, or one never began: what they took beside others goes back.
    private func giveDescriptors() {
        let needed = max(0, attempts.count - 1)
        guard furtherDescriptors > needed else { return }
        worker.shared.descriptors.give(furtherDescriptors - needed)
        furtherDescriptors = needed
    }

    private func finishIfExhausted() {
        if !isDone && attempts.isEmpty && remaining.isEmpty && delay == nil {
            fail(failure)
        }
    }

    /// Starts one attempt. Returns whether to wait for it, or whether everything is decided.
    @discardableResult
    private func attempt(_ address: SocketAddress) -> Bool {
        lastTried = address
        if connection.relay.mayLoop, worker.shared.isOwnListener(address) {
            note(DialFailure(reason: .loop, errno: nil, address: address))
            return false
        }
        var socket: Socket
        do {
            socket = try Socket(family: address.family)
        } catch {
            note(DialFailure(opening: address, error))
            return false
        }
        worker.prepareUpstream(socket, address)
        if let mark = connection.relay.interception?.mark {
            do throws(Errno) {
                try socket.set(mark: mark)
            } catch {
                // Without it the rules would bring the connection back here.
                note(DialFailure(reason: .internalError, errno: error, address: address))
                return false
            }
        }
        let outcome = socket.connect(to: address)
        if let interception = connection.interception, Self.isOpen(outcome),
            interception.comesBack(socket.localAddress, worker.loop.now)
        {
            connection.warnOfOwnTraffic()
            socket.resetOnClose()
            note(DialFailure(reason: .loop, errno: nil, address: address))
            return false
        }
        switch outcome {
        case .connected:
            return succeed(socket, address)
        case .inProgress:
            do {
                attempts.append(try Attempt(dialer: self, loop: worker.loop, socket: socket, address: address))
                return true
            } catch {
                note(DialFailure(reason: .internalError, errno: error.errno, address: address))
                return false
            }
        case .failed(let error):
            if address.isUnix && error.code == EAGAIN {
                socket.close()
                later(Self.unixRetryDelay) { $0.tryOnly(address) }
                return true
            }
            if Self.wasConnected(error) { return succeed(socket, address, failed: error) }
            note(DialFailure(connecting: address, error))
            return false
        }
    }

    /// Whether the peer may have it: a socket whose connect failed has no address of its own.
    private static func isOpen(_ outcome: Socket.ConnectOutcome) -> Bool {
        if case .failed(let error) = outcome { wasConnected(error) } else { true }
    }

    /// Whether a connect that failed had succeeded before: a reset while connecting is a refusal, so these two are of a
    /// peer that accepted, perhaps sent something, and then reset (`tcp_reset` in the kernel).
    private static func wasConnected(_ error: Errno) -> Bool {
        error.code == ECONNRESET || error.code == EPIPE
    }

    private func succeed(_ socket: consuming Socket, _ address: SocketAddress, failed error: Errno? = nil) -> Bool {
        // A loopback port of the ephemeral range without a listener can be connected to itself (simultaneous open).
        if worker.shared.system.mayBeOwnPort(address), socket.localAddress == socket.peerAddress {
            socket.resetOnClose()
            socket.close()
            note(DialFailure(connecting: address, Errno(ECONNREFUSED)))
            return false
        }
        cancel()
        connection.connected(socket, address, failed: error)
        return true
    }

    /// An attempt was decided.
    fileprivate func decided(_ attempt: Attempt) {
        guard !isDone else { return }
        var socket = attempt.takeSocket()
        // Only now: until it is closed, nothing else holds the attempt.
        attempts.removeAll { $0 === attempt }
        giveDescriptors()
        let error = socket.takeError()
        if let error, !Self.wasConnected(error) {
            note(DialFailure(connecting: attempt.address, error))
            socket.close()
        } else if succeed(socket, attempt.address, failed: error) {
            return
        }
        delay?.close()
        delay = nil
        tryNext()
    }

    /// The kernel refused to go on watching an attempt's socket.
    fileprivate func watchFailed(_ attempt: Attempt, _ error: UVError) {
        guard !isDone else { return }
        attempt.end()
        attempts.removeAll { $0 === attempt }
        giveDescriptors()
        note(DialFailure(reason: .internalError, errno: error.errno, address: attempt.address))
        delay?.close()
        delay = nil
        tryNext()
    }

    private func later(_ milliseconds: UInt64, _ action: @escaping (Dialer) -> Void) {
        delay?.close()
        let timer = Timer(loop: worker.loop) { [unowned self] in
            delay?.close()
            delay = nil
            action(self)
        }
        delay = timer
        timer.start(after: milliseconds)
    }

    private func note(_ failure: DialFailure) {
        self.failure = self.failure.orStronger(failure)
    }

    private func fail(_ failure: DialFailure) {
        isDone = true
        connection.connectFailed(failure)
    }
}

/// One socket on its way to being connected.
private final class Attempt: Poll {
    private var socket: Socket
    let address: SocketAddress
    private unowned let dialer: Dialer

    init(dialer: Dialer, loop: EventLoop, socket: consuming Socket, address: SocketAddress) throws(UVError) {
        self.dialer = dialer
        self.socket = socket
        self.address = address
        try super.init(loop: loop, fd: self.socket.fd, for: .writable)
    }

    override func ready(_ events: Events) {
        dialer.decided(self)
    }

    override func watchFailed(_ error: UVError) {
        dialer.watchFailed(self, error)
    }

    /// Ends the watch and hands the socket over.
    func takeSocket() -> Socket {
        close()
        var taken = Socket(adopting: -1)
        swap(&taken, &socket)
        return taken
    }

    /// Gives up.
    func end() {
        close(andDescriptor: true)
        socket.close()
    }
}
