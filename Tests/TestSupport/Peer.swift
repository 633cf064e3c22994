internal import CLinux
internal import Glibc
public import Sockets
internal import Synchronization

/// One end of a connection in a test: client or upstream, TCP or Unix. Every wait has a deadline.
///
/// It stays open until it is closed, at the latest when the test ends. Releasing the object does not close it, because
/// a test whose variable goes out of scope must not send a FIN. Any thread; one reads and one writes at a time.
public final class Peer: Sendable {
    /// How the other end ended its half.
    public enum Ending: Hashable, Sendable {
        /// By a FIN, after every byte that was sent.
        case fin
        /// By a reset.
        case reset
    }

    /// This end's address.
    public let address: SocketAddress
    let fd: CInt
    private let isOpen = Atomic(true)
    /// The other end reset before the connect was seen to succeed; the system reports that only once.
    private let wasResetEarly = Atomic(false)

    private static let all = Mutex<[Peer]>([])

    /// Adopts a non-blocking descriptor.
    init(adopting fd: CInt) {
        self.fd = fd
        address =
            SocketAddress.reported { getsockname(fd, $0, $1) } ?? .unix(path: "")
        Self.all.withLock { $0.append(self) }
    }

    /// Connects. A small receive buffer must be set before that (tcp(7)).
    public static func connect(to address: SocketAddress, receiveBuffer: Int? = nil) throws -> Peer {
        let peer = try start(to: address, receiveBuffer: receiveBuffer)
        try peer.await(POLLOUT, "connected to \(address)", Deadline())
        switch peer.takeError() {
        case nil: break
        // A refusal is ECONNREFUSED: this one was connected.
        case ECONNRESET: peer.wasResetEarly.store(true, ordering: .relaxed)
        case let error?: throw TestFailure("connect to \(address): \(Errno(error).name)")
        }
        return peer
    }

    /// Starts to connect and does not wait.
    public static func start(to address: SocketAddress, receiveBuffer: Int? = nil) throws -> Peer {
        let fd = try make(address.family)
        let peer = Peer(adopting: fd)
        if let receiveBuffer { peer.setReceiveBuffer(receiveBuffer) }
        let deadline = Deadline()
        while true {
            let result = address.withSockaddr { Glibc.connect(fd, $0, $1) }
            if result == 0 || errno == EINPROGRESS { return Peer(replacing: peer) }
            // A Unix listener with a full queue.
            guard errno == EAGAIN, !deadline.isOver else {
                throw TestFailure("connect to \(address): \(Errno.current.name)")
            }
            Deadline.letPass(.milliseconds(1))
        }
    }

    /// The same descriptor, after it has got an address.
    private convenience init(replacing other: Peer) {
        other.isOpen.store(false, ordering: .relaxed)
        self.init(adopting: other.fd)
    }

    static func make(_ family: CInt) throws -> CInt {
        let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        let fd = socket(family, type, 0)
        guard fd >= 0 else { throw TestFailure("no socket: \(Errno.current.name)") }
        var yes: CInt = 1
        if family != AF_UNIX { setsockopt(fd, CInt(IPPROTO_TCP), TCP_NODELAY, &yes, 4) }
        return fd
    }

    /// Closes every peer of the test that has just ended.
    static func closeAll() {
        let left = all.withLock { all in
            defer { all = [] }
            return all
        }
        for peer in left { peer.close() }
    }

    /// The meaning of an empty read.
    var endingRead: Ending { wasResetEarly.load(ordering: .relaxed) ? .reset : .fin }

    // MARK: Waiting

    /// Waits until poll(2) reports one of the events, an error or a hang-up.
    func await(_ events: CInt, _ what: String, _ deadline: Deadline) throws {
        var entry = pollfd(fd: fd, events: Int16(events), revents: 0)
        while true {
            let result = poll(&entry, 1, deadline.milliseconds)
            if result > 0 { return }
            if result < 0 && errno != EINTR { throw TestFailure("poll: \(Errno.current.name)") }
            if deadline.isOver { throw TestFailure("deadline passed: \(what)") }
        }
    }

    func takeError() -> CInt? {
        var error: CInt = 0
        var length = socklen_t(4)
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length)
        return error == 0 ? nil : error
    }

    // MARK: Options

    /// Limits what the kernel receives for this end while the test does not read.
    public func setReceiveBuffer(_ bytes: Int) {
        var value = CInt(bytes)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, 4)
    }

    /// From now on no segment of the other end is received or acknowledged: to the other end, this one has vanished. A
    /// socket filter drops the segments (socket(7), `SO_ATTACH_FILTER`); some systems allow that to root only: see
    /// `canVanish`.
    public func vanish() throws {
        guard Self.dropEverything(fd) else { throw TestFailure("no filter: \(Errno.current.name)") }
    }

    /// Whether the system allows `vanish`.
    public static let canVanish: Bool = {
        guard let fd = try? make(AF_INET) else { return false }
        defer { Glibc.close(fd) }
        return dropEverything(fd)
    }()

    private static func dropEverything(_ fd: CInt) -> Bool {
        // struct sock_filter { BPF_RET | BPF_K, 0, 0, 0 }: accept no byte of any packet.
        withUnsafeTemporaryAllocation(byteCount: 8, alignment: 8) { filter in
            filter.storeBytes(of: 0x06, as: UInt64.self)
            // struct sock_fprog { unsigned short len; struct sock_filter *filter; }
            var program = (UInt64(1), UInt64(UInt(bitPattern: filter.baseAddress)))
            return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, 16) == 0
        }
    }

    // MARK: Ending

    /// Ends this end's half (FIN).
    public func endWriting() {
        shutdown(fd, CInt(SHUT_WR))
    }

    /// Closes; a second call does nothing. Unread bytes make the system send a reset.
    public func close() {
        if isOpen.exchange(false, ordering: .relaxed) { Glibc.close(fd) }
    }

    /// Closes with a reset after the other end's system has everything that was sent; the reset would discard the rest.
    public func reset() throws {
        try awaitSent()
        resetNow()
    }

    /// Closes with a reset and discards unsent bytes.
    public func resetNow() {
        var value = linger(l_onoff: 1, l_linger: 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    /// Waits until the other end's system has acknowledged everything.
    public func awaitSent(within: Duration = Deadline.usual) throws {
        try Deadline.poll("everything sent is acknowledged", within: within) {
            var bytes: CInt = 0
            return tapline_unsent(fd, &bytes) != 0 || bytes == 0
        }
    }
}

extension SocketAddress {
    /// Returns the address that a system call fills in.
    static func reported(
        by call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> CInt
    ) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                call(raw, &length) == 0 ? SocketAddress(raw, length: length) : nil
            }
        }
    }
}
