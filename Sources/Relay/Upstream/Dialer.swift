internal import EventLoop
internal import Glibc
internal import Sockets

/// Connects to one destination: looks its name up, then tries the addresses by RFC 8305, each 250 ms after the previous
/// one or as soon as that one has failed, and uses the first that connects.
///
/// Owned by its delegate while it connects, on the loop's thread. It calls the delegate once, unless `cancel` comes first.
/// The delegate watches the connect timeout.
final class Dialer {
    /// RFC 8305, section 8: the recommended delay between two attempts. Milliseconds.
    static let attemptDelay: UInt64 = 250
    /// A Unix socket whose queue is full cannot be waited for; it is tried again after this delay. Milliseconds.
    private static let unixRetryDelay: UInt64 = 10
    /// Concurrent attempts: a name with many dead addresses must not use up the descriptors.
    private static let mostAttempts = 4

    // MARK: Fixed at init

    private let endpoint: Endpoint?
    private let origin: NameCache.Origin
    // Both outlive the dialer: the delegate owns it, and the worker owns the resources and the delegate.
    private unowned(unsafe) let resources: DialerResources
    private unowned(unsafe) let delegate: any DialerDelegate

    // MARK: The loop's thread only

    private var remaining: ArraySlice<SocketAddress> = []
    private var attempts: [Attempt] = []
    /// Descriptors taken for attempts other than the first.
    private var furtherDescriptors = 0
    private var delay: Timer?
    private var failure = DialFailure.nothingTried
    private var isDone = false
    /// The wait for the name's addresses.
    private var ticket: NameCache.Ticket?
    /// The address that was tried last.
    private(set) var lastTried: SocketAddress?

    init(to destination: Destination, resources: DialerResources, delegate: any DialerDelegate) {
        endpoint = destination.endpoint
        origin = destination.origin
        self.resources = resources
        self.delegate = delegate
    }

    /// The name is being looked up.
    var isWaitingForName: Bool { ticket != nil }

    /// Starts. The delegate may be called before this returns.
    func start() {
        switch endpoint {
        case nil:
            fail(failure)
        case .address(let address):
            tryOnly(address)
        case .linkLocal(let address, let zone, let port):
            do throws(Errno) {
                tryOnly(.ipv6(address, port: port, scope: try SocketAddress.scope(ofZone: zone)))
            } catch {
                fail(DialFailure(lookingUpInterface: error))
            }
        case .name(let host, let port):
            if let answer = resources.names.answer(for: host, from: origin) {
                found(answer, port)
            } else {
                ticket = resources.names.wait(for: host) { [weak self] in self?.found($0, port) }
            }
        }
    }

    /// Stops: the delegate is not called, and no socket stays open.
    func cancel() {
        isDone = true
        if let ticket { resources.names.cancel(ticket) }
        ticket = nil
        delay?.close()
        delay = nil
        for attempt in attempts { attempt.end() }
        attempts = []
        giveDescriptors()
    }

    private func found(_ answer: NameCache.Answer, _ port: UInt16) {
        ticket = nil
        guard !isDone else { return }
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

    /// The delegate has one descriptor for its socket; every attempt after the first needs its own.
    private func takeDescriptor() -> Bool {
        guard !remaining.isEmpty, attempts.count < Self.mostAttempts else { return false }
        guard !attempts.isEmpty else { return true }
        guard resources.descriptors.takeIfAvailable(1) else { return false }
        furtherDescriptors += 1
        return true
    }

    /// Returns the descriptors of attempts that are over or never began.
    private func giveDescriptors() {
        let needed = max(0, attempts.count - 1)
        guard furtherDescriptors > needed else { return }
        resources.descriptors.give(furtherDescriptors - needed)
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
        if let refusal = delegate.refusal(of: address) {
            note(refusal)
            return false
        }
        var socket: Socket
        do {
            socket = try Socket(family: address.family)
        } catch {
            note(DialFailure(opening: address, error))
            return false
        }
        resources.prepare(socket, for: address)
        if let refusal = delegate.prepare(socket, for: address) {
            note(refusal)
            return false
        }
        let outcome = socket.connect(to: address)
        if Self.isOpen(outcome), let refusal = delegate.refusal(of: socket, connectingTo: address) {
            socket.resetOnClose()
            note(refusal)
            return false
        }
        switch outcome {
        case .connected:
            return succeed(socket, address)
        case .inProgress:
            do {
                attempts.append(try Attempt(dialer: self, loop: resources.loop, socket: socket, address: address))
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

    /// Whether the peer may have the connection: a socket whose connect failed has no address of its own.
    private static func isOpen(_ outcome: Socket.ConnectOutcome) -> Bool {
        if case .failed(let error) = outcome { wasConnected(error) } else { true }
    }

    /// Whether a connect that failed had succeeded before: a reset while connecting is a refusal, so these two come from
    /// a peer that accepted, perhaps sent something, and then reset (`tcp_reset` in the kernel).
    private static func wasConnected(_ error: Errno) -> Bool {
        error.code == ECONNRESET || error.code == EPIPE
    }

    private func succeed(_ socket: consuming Socket, _ address: SocketAddress, failed error: Errno? = nil) -> Bool {
        // A loopback port of the ephemeral range without a listener can be connected to itself (simultaneous open).
        if resources.system.mayBeOwnPort(address), socket.localAddress == socket.peerAddress {
            socket.resetOnClose()
            socket.close()
            note(DialFailure(connecting: address, Errno(ECONNREFUSED)))
            return false
        }
        cancel()
        delegate.connected(socket, to: address, failed: error)
        return true
    }

    /// An attempt was decided.
    func decided(_ attempt: Attempt) {
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
    func watchFailed(_ attempt: Attempt, _ error: UVError) {
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
        let timer = Timer(loop: resources.loop) { [unowned self] in
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
        delegate.connectFailed(failure)
    }
}
