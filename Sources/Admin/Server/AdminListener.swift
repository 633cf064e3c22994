public import Configuration
internal import Glibc
public import Sockets
internal import Synchronization

/// The admin server's sockets, bound and listening, but not served yet.
///
/// Made and ended by the supervisor. Dropped unserved, the sockets close; the file of a Unix socket goes with `removeFile`.
public final class AdminListener: Sendable {
    /// The addresses as bound: port 0 has become the port it got.
    public let addresses: [SocketAddress]
    let sockets: [SocketParcel]
    /// The file of a Unix socket.
    public let file: SocketFile?
    /// Further descriptors of the sockets, for a process that takes this one's place: those that are served are NIO's.
    private let copies: [SocketParcel]
    private let ownsFile: Atomic<Bool>

    private init(
        addresses: [SocketAddress], sockets: [SocketParcel], file: SocketFile?, ownsFile: Bool = true
    ) throws(Errno) {
        self.addresses = addresses
        self.sockets = sockets
        self.file = file
        self.ownsFile = Atomic(ownsFile)
        var copies: [SocketParcel] = []
        for socket in sockets {
            if let copy = try socket.duplicate() { copies.append(SocketParcel(copy)) }
        }
        self.copies = copies
    }

    /// Binds. A Unix socket's file has the mode 0600 from its birth. `going`: addresses of ours that are about to be
    /// closed, which the new ones may overlap. `handedOver`: what another process has bound for the same, taken where it
    /// fits. Throws what a person can act on; nothing is left bound then.
    public static func bind(
        _ listen: ListenAddress, beside going: [SocketAddress] = [], handedOver: [HandedSocket] = []
    ) throws(SystemError) -> AdminListener {
        if case .unix(let path, _) = listen { return try bindUnix(path, handedOver) }
        var addresses: [SocketAddress] = []
        var sockets: [SocketParcel] = []
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
                try socket.bind(to: address, sharing: going.contains { $0.overlaps(address) })
                try socket.allowSharing()
                // The accepted sockets inherit it: a client whose machine is gone says so in no other way.
                try socket.set(.standard)
                try socket.listen()
                addresses.append(socket.localAddress ?? address)
                sockets.append(SocketParcel(socket))
            } catch {
                // Without IPv6 on the system the other loopback has to do.
                let isSpare = address.family == AF_INET6 && !addresses.isEmpty
                guard isSpare, error.code == EAFNOSUPPORT || error.code == EADDRNOTAVAIL else {
                    throw SystemError(listeningOn: address, for: whom, error)
                }
            }
        }
        do {
            return try AdminListener(addresses: addresses, sockets: sockets, file: nil)
        } catch {
            throw SystemError(listeningOn: wanted[0], for: whom, error)
        }
    }

    private static func bindUnix(
        _ path: String, _ handedOver: [HandedSocket]
    ) throws(SystemError) -> AdminListener {
        let address = SocketAddress.unix(path: path)
        do {
            if let handed = handedOver.first(where: { $0.address == address }) {
                return try AdminListener(
                    addresses: [address], sockets: [handed.parcel], file: handed.file, ownsFile: false)
            }
            let socket = try Socket(family: address.family)
            let file = try SocketFile.bind(socket, path: path, mode: AdminSettings.unixMode)
            try socket.listen()
            return try AdminListener(addresses: [address], sockets: [SocketParcel(socket)], file: file)
        } catch {
            throw SystemError(listeningOn: address, for: whom, error)
        }
    }

    /// What messages call it.
    private static let whom = "the admin API"

    /// What an error of `bind` for an address says was attempted.
    public static func attempt(_ address: SocketAddress) -> String {
        "listen on \(address) for \(whom)"
    }

    /// Removes the file of a Unix socket, if it is still ours.
    public func removeFile() {
        if ownsFile.load(ordering: .relaxed) { file?.remove() }
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

    /// Closes the copies that are kept for another process.
    func closeCopies() {
        for copy in copies { _ = copy.take() }
    }
}
