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
    /// A Unix socket whose queue is full cannot be waited for; it is tried again after so many milliseconds.
    private static let unixRetryDelay: UInt64 = 10

    private unowned(unsafe) let connection: Connection
    private unowned(unsafe) let worker: Worker
    private var remaining: ArraySlice<SocketAddress> = []
    private var attempts: [Attempt] = []
    private var delay: Timer?
    private var lastFailure: (reason: EndReason, errno: Errno?) = (.connectUnreachable, nil)
    private var isDone = false
    private var isWaitingForName = false
    /// The address that was tried last.
    private(set) var lastTried: SocketAddress?

    init(connection: Connection) {
        self.connection = connection
        worker = connection.worker
    }

    /// Starts. The connection may be told before this returns.
    func start() {
        switch connection.relay.target {
        case .address(let address):
            tryOnly(address)
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
        if isWaitingForName, case .name(let host, _) = connection.relay.target {
            worker.names.stopWaiting(for: host, self)
        }
        delay?.close()
        delay = nil
        for attempt in attempts { attempt.end() }
        attempts = []
    }

    /// The name's addresses, or why there are none.
    func found(_ answer: Result<[SocketAddress], NameLookup.Failure>) {
        isWaitingForName = false
        guard !isDone, case .name(_, let port) = connection.relay.target else { return }
        switch answer {
        case .success(let addresses):
            remaining = addresses.map { $0.with(port: port) }[...]
            tryNext()
        case .failure(.notFound):
            fail(.nameNotFound, nil)
        case .failure(.failed):
            fail(.nameLookupFailed, nil)
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
        while !isDone, let address = remaining.popFirst() {
            if attempt(address) { break }
        }
        guard !isDone else { return }
        finishIfExhausted()
        if !isDone && !remaining.isEmpty { later(Self.attemptDelay) { $0.tryNext() } }
    }

    private func finishIfExhausted() {
        if !isDone && attempts.isEmpty && remaining.isEmpty && delay == nil {
            fail(lastFailure.reason, lastFailure.errno)
        }
    }

    /// Starts one attempt. Returns whether to wait for it, or whether everything is decided.
    @discardableResult
    private func attempt(_ address: SocketAddress) -> Bool {
        lastTried = address
        if worker.shared.isOwnListener(address) {
            lastFailure = (.loop, nil)
            return false
        }
        var socket: Socket
        do {
            socket = try Socket(family: address.family)
        } catch {
            lastFailure = (Self.reason(opening: error), error)
            return false
        }
        worker.prepareUpstream(socket, address)
        switch socket.connect(to: address) {
        case .connected:
            return succeed(socket, address)
        case .inProgress:
            do {
                attempts.append(try Attempt(dialer: self, loop: worker.loop, socket: socket, address: address))
                return true
            } catch {
                lastFailure = (.internalError, error.errno)
                return false
            }
        case .failed(let error):
            if address.isUnix && error.code == EAGAIN {
                socket.close()
                later(Self.unixRetryDelay) { $0.tryOnly(address) }
                return true
            }
            if Self.wasConnected(error) { return succeed(socket, address, failed: error) }
            lastFailure = (Self.reason(connecting: error), error)
            return false
        }
    }

    /// Whether a connect that failed had succeeded before: a reset while connecting is a refusal, so these two are of a
    /// peer that accepted, perhaps sent something, and then reset (`tcp_reset` in the kernel).
    private static func wasConnected(_ error: Errno) -> Bool {
        error.code == ECONNRESET || error.code == EPIPE
    }

    private func succeed(_ socket: consuming Socket, _ address: SocketAddress, failed error: Errno? = nil) -> Bool {
        // A loopback port of the ephemeral range that nobody listens on can be connected to itself (simultaneous open).
        if worker.shared.system.mayBeOwnPort(address), socket.localAddress == socket.peerAddress {
            socket.resetOnClose()
            socket.close()
            lastFailure = (.connectRefused, Errno(ECONNREFUSED))
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
        // Only now: until it is closed, nobody else holds the attempt.
        attempts.removeAll { $0 === attempt }
        let error = socket.takeError()
        if let error, !Self.wasConnected(error) {
            lastFailure = (Self.reason(connecting: error), error)
            socket.close()
        } else if succeed(socket, attempt.address, failed: error) {
            return
        }
        delay?.close()
        delay = nil
        tryNext()
    }

    private func later(_ milliseconds: UInt64, _ action: @escaping (Dialer) -> Void) {
        delay?.close()
        delay = try? Timer(loop: worker.loop) { [unowned self] in
            delay?.close()
            delay = nil
            action(self)
        }
        delay?.start(after: milliseconds)
    }

    private func fail(_ reason: EndReason, _ errno: Errno?) {
        isDone = true
        connection.connectFailed(reason, errno)
    }

    // MARK: Reasons

    private static func reason(opening error: Errno) -> EndReason {
        switch error.code {
        case EMFILE, ENFILE, ENOBUFS, ENOMEM: .overLimit
        case EAFNOSUPPORT: .connectUnreachable
        default: .internalError
        }
    }

    private static func reason(connecting error: Errno) -> EndReason {
        switch error.code {
        case ECONNREFUSED: .connectRefused
        case ETIMEDOUT: .connectTimeout
        case EADDRNOTAVAIL, EAGAIN: .noLocalPort
        case ENOBUFS, ENOMEM: .overLimit
        default: .connectUnreachable
        }
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
