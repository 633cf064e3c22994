public import Configuration
internal import Glibc
public import Sockets
internal import Synchronization

/// The admin server's sockets, bound and listening, but not served yet.
///
/// Owned by the supervisor, which serves or discards it.
public final class AdminListener: Sendable {
    /// The bound addresses, with the actual port in place of port 0.
    public let addresses: [SocketAddress]
    let sockets: [SocketParcel]
    /// The sockets that were not handed over by another process.
    private let bound: [SocketParcel]
    /// The file of a Unix socket; nil for an abstract name.
    public let file: SocketFile?
    /// The file of the listener whose path it took over, until it is served or discarded.
    private let replaced: SocketFile.SetAside?
    /// Duplicates of the sockets for a successor process: SwiftNIO owns the ones that are served.
    private let copies: [SocketParcel]
    private let ownsFile: Atomic<Bool>
    /// The token that its clients need instead of the settings' token; they also must be of this process's user. Nil: it
    /// is no listener for the process that took over.
    let successorsToken: String?

    /// Duplicates a bound socket.
    typealias Duplicate = (SocketParcel) throws(Errno) -> Socket?

    private init(
        addresses: [SocketAddress], sockets: [SocketParcel], bound: [SocketParcel], file: SocketFile?,
        replaced: SocketFile.SetAside? = nil, ownsFile: Bool = true, successorsToken: String? = nil,
        duplicate: Duplicate = { socket throws(Errno) in try socket.duplicate() }
    ) throws(Errno) {
        self.bound = bound
        self.successorsToken = successorsToken
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

    /// The descriptor of the first socket, until it is served or discarded.
    public var descriptor: Int32? { sockets.first?.descriptor }

    /// Binds. A Unix socket's file has the mode 0600 from the start. `released`: own addresses that are about to be closed,
    /// which the new ones may overlap. `handedOver`: sockets that another process has bound, used for equal addresses.
    /// After an error, nothing is bound and no file is left.
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
                // Accepted sockets inherit it. Only keepalive detects a client whose machine is gone.
                try socket.set(.standard)
                try socket.listen()
                addresses.append(socket.localAddress ?? address)
                bound.append(SocketParcel(socket))
                sockets.append(bound[bound.count - 1])
            } catch {
                // Without IPv6, the IPv4 loopback address is enough.
                let isSpare = address.family == AF_INET6 && !addresses.isEmpty
                guard isSpare, error.code == EAFNOSUPPORT || error.code == EADDRNOTAVAIL else {
                    throw SystemError(listeningOn: address, for: owner, subject: .admin, error)
                }
            }
        }
        do {
            return try AdminListener(addresses: addresses, sockets: sockets, bound: bound, file: nil)
        } catch {
            throw SystemError(listeningOn: wanted[0], for: owner, subject: .admin, error)
        }
    }

    /// Binds the abstract name at which the process that took over reaches this one.
    public static func bind(_ access: Predecessor.Access) throws(SystemError) -> AdminListener {
        try bindUnix(access.name, [], [], successorsToken: access.token)
    }

    static func bindUnix(
        _ path: String, _ released: [HeldAddress], _ handedOver: [HandedSocket], successorsToken: String? = nil,
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
                    successorsToken: successorsToken, duplicate: duplicate)
            } catch {
                file?.remove()
                replaced?.restore()
                throw error
            }
        } catch {
            throw SystemError(listeningOn: address, for: owner, subject: .admin, error)
        }
    }

    /// The name in messages.
    private static let owner = "the admin API"

    /// The attempt that an error of `bind` names.
    public static func attempt(_ address: SocketAddress) -> String {
        "listen on \(address) for \(owner)"
    }

    /// Removes the file of a Unix socket if this process owns it.
    public func removeFile() {
        if ownsFile.load(ordering: .relaxed) { file?.remove() }
    }

    /// Undoes `bind`: closes the sockets that were not handed over, removes the file, and restores the file of the listener
    /// whose path it took over.
    public func discard() {
        closeCopies()
        for socket in bound { _ = socket.takeSocket() }
        removeFile()
        replaced?.restore()
    }

    /// Removes the replaced file, once this listener is served.
    func removeReplaced() {
        replaced?.remove()
    }

    /// Its addresses, for listeners that are bound before it is closed.
    var held: [HeldAddress] {
        addresses.map { HeldAddress($0, file: ownsFile.load(ordering: .relaxed) ? file : nil) }
    }

    /// The process that handed the sockets over has ended: this process owns their file now.
    public func ownFile() {
        ownsFile.store(true, ordering: .relaxed)
    }

    /// Duplicates for a successor process, with descriptors of at least `lowest`.
    func copies(from lowest: Int32) throws(Errno) -> [HandedSocket] {
        var all: [HandedSocket] = []
        for copy in copies {
            guard let socket = try copy.duplicate(from: lowest) else { continue }
            if let handed = HandedSocket(socket, label: "", origin: .process(file: file)) { all.append(handed) }
        }
        return all
    }

    /// A duplicate of one of its sockets, which is listening again; nil when the duplicates are closed.
    func reopened(_ position: Int) throws(Errno) -> CInt? {
        guard position < copies.count, let socket = try copies[position].duplicate() else { return nil }
        try socket.listen()
        return socket.release()
    }

    /// Closes the duplicates.
    func closeCopies() {
        for copy in copies { _ = copy.takeSocket() }
    }
}
