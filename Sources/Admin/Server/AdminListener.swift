public import Configuration
internal import Glibc
public import Sockets
internal import Synchronization

/// The admin server's sockets, bound and listening, but not served yet.
///
/// Made and ended by the supervisor, which serves or discards it.
public final class AdminListener: Sendable {
    /// The addresses as bound: port 0 has become the port it got.
    public let addresses: [SocketAddress]
    let sockets: [SocketParcel]
    /// Those of them that no other process handed over.
    private let bound: [SocketParcel]
    /// The file of a Unix socket; nil for an abstract name, which has none.
    public let file: SocketFile?
    /// The file of the listener whose path it has now, until it is served or discarded.
    private let replaced: SocketFile.SetAside?
    /// Further descriptors of the sockets, for a process that takes this one's place: those that are served are NIO's.
    private let copies: [SocketParcel]
    private let ownsFile: Atomic<Bool>

    /// Makes a further descriptor of a socket that is bound.
    typealias Duplicate = (SocketParcel) throws(Errno) -> Socket?

    private init(
        addresses: [SocketAddress], sockets: [SocketParcel], bound: [SocketParcel], file: SocketFile?,
        replaced: SocketFile.SetAside? = nil, ownsFile: Bool = true,
        duplicate: Duplicate = { socket throws(Errno) in try socket.duplicate() }
    ) throws(Errno) {
        self.bound = bound
        self.addresses = addresses
        self.sockets = sockets
        self.file = file
        self.replaced = replaced
        self.ownsFile = Atomic(ownsFile)
        var copies: [SocketParcel] = []
        for socket in sockets {
            if let copy = try duplicate(socket) { copies.append(SocketParcel(copy)) }
        }
        self.copies = copies
    }

    /// Binds. A Unix socket's file has the mode 0600 from the start. `released`: addresses of ours that are about to be
    /// closed, which the new ones may overlap. `handedOver`: what another process has bound for the same, taken where it
    /// fits. Throws what a person can act on; nothing is left bound then, and no file.
    public static func bind(
        _ listen: ListenAddress, released: [HeldAddress] = [], handedOver: [HandedSocket] = []
    ) throws(SystemError) -> AdminListener {
        if case .unix(let path, _) = listen { return try bindUnix(path, released, handedOver) }
        var addresses: [SocketAddress] = []
        var sockets: [SocketParcel] = []
        var bound: [SocketParcel] = []
        let wanted = listen.socketAddresses
        for address in wanted {
            if let handed = handedOver.first(where: { $0.address == address || $0.address.with(port: 0) == address }) {
                addresses.append(handed.address)
                sockets.append(handed.parcel)
                continue
            }
            let address = address.with(port: addresses.first?.port ?? address.port ?? 0)
            do {
                let socket = try Socket(family: address.family)
                try socket.bind(to: address, sharing: released.contains { $0.address.overlaps(address) })
                try socket.allowSharing()
                // The accepted sockets inherit it: a client whose machine is gone says so in no other way.
                try socket.set(.standard)
                try socket.listen()
                addresses.append(socket.localAddress ?? address)
                bound.append(SocketParcel(socket))
                sockets.append(bound[bound.count - 1])
            } catch {
                // Without IPv6 on the system the other loopback has to do.
                let isSpare = address.family == AF_INET6 && !addresses.isEmpty
                guard isSpare, error.code == EAFNOSUPPORT || error.code == EADDRNOTAVAIL else {
                    throw SystemError(listeningOn: address, for: whom, subject: .admin, error)
                }
            }
        }
        do {
            return try AdminListener(addresses: addresses, sockets: sockets, bound: bound, file: nil)
        } catch {
            throw SystemError(listeningOn: wanted[0], for: whom, subject: .admin, error)
        }
    }

    static func bindUnix(
        _ path: String, _ released: [HeldAddress], _ handedOver: [HandedSocket],
        duplicate: Duplicate = { socket throws(Errno) in try socket.duplicate() }
    ) throws(SystemError) -> AdminListener {
        let address = SocketAddress.unix(path: path)
        do throws(Errno) {
            if let handed = handedOver.first(where: { $0.address == address }) {
                return try AdminListener(
                    addresses: [address], sockets: [handed.parcel], bound: [], file: handed.file, ownsFile: false)
            }
            let socket = try Socket(family: address.family)
            let (file, replaced) = try SocketFile.bind(
                socket, path: path, mode: AdminSettings.unixMode, released: released)
            do throws(Errno) {
                try socket.listen()
                let parcel = SocketParcel(socket)
                return try AdminListener(
                    addresses: [address], sockets: [parcel], bound: [parcel], file: file, replaced: replaced,
                    duplicate: duplicate)
            } catch {
                file?.remove()
                replaced?.restore()
                throw error
            }
        } catch {
            throw SystemError(listeningOn: address, for: whom, subject: .admin, error)
        }
    }

    /// The name in messages.
    private static let whom = "the admin API"

    /// What an error of `bind` for an address says was attempted.
    public static func attempt(_ address: SocketAddress) -> String {
        "listen on \(address) for \(whom)"
    }

    /// Removes the file of a Unix socket, if it is still ours.
    public func removeFile() {
        if ownsFile.load(ordering: .relaxed) { file?.remove() }
    }

    /// It is not wanted after all: its sockets close, but for those that were handed over; its file is removed, and the
    /// listener whose path it took has it again.
    public func discard() {
        closeCopies()
        for socket in bound { _ = socket.take() }
        removeFile()
        replaced?.restore()
    }

    /// It is in force: the listener whose path it took is not wanted any more.
    func removeReplaced() {
        replaced?.remove()
    }

    /// Its addresses, for others that bind before it is closed.
    var held: [HeldAddress] {
        addresses.map { HeldAddress($0, file: ownsFile.load(ordering: .relaxed) ? file : nil) }
    }

    /// The process that had handed the sockets over is through with them: a file is this one's from now on.
    public func ownFile() {
        ownsFile.store(true, ordering: .relaxed)
    }

    /// Copies for a process that takes this one's place, none numbered under `lowest`.
    func copies(from lowest: Int32) throws(Errno) -> [HandedSocket] {
        var all: [HandedSocket] = []
        for copy in copies {
            guard let socket = try copy.duplicate(from: lowest) else { continue }
            if let handed = HandedSocket(socket, label: "", origin: .process(file: file)) { all.append(handed) }
        }
        return all
    }

    /// Another descriptor of one of its sockets, which listens again should it have stopped; nil when the copies are
    /// closed.
    func reopened(_ position: Int) throws(Errno) -> CInt? {
        guard position < copies.count, let socket = try copies[position].duplicate() else { return nil }
        try socket.listen()
        return socket.release()
    }

    /// Closes the copies that are kept for another process.
    func closeCopies() {
        for copy in copies { _ = copy.take() }
    }
}
