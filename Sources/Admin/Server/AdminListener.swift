public import Configuration
internal import Glibc
public import Sockets

/// The admin server's sockets, bound and listening, but not served yet.
///
/// Made and ended by the supervisor. Dropped unserved, the sockets close; the file of a Unix socket goes with `removeFile`.
public final class AdminListener: Sendable {
    /// The addresses as bound: port 0 has become the port it got.
    public let addresses: [SocketAddress]
    let sockets: [SocketParcel]
    private let file: SocketFile?

    private init(addresses: [SocketAddress], sockets: [SocketParcel], file: SocketFile?) {
        self.addresses = addresses
        self.sockets = sockets
        self.file = file
    }

    /// Binds. A Unix socket's file has the mode 0600 from its birth. `going`: addresses of ours that are about to be
    /// closed, which the new ones may overlap. Throws what a person can act on; nothing is left bound then.
    public static func bind(
        _ listen: ListenAddress, beside going: [SocketAddress] = []
    ) throws(SystemError) -> AdminListener {
        if case .unix(let path, _) = listen { return try bindUnix(path) }
        var addresses: [SocketAddress] = []
        var sockets: [SocketParcel] = []
        let wanted = listen.socketAddresses
        for address in wanted {
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
        return AdminListener(addresses: addresses, sockets: sockets, file: nil)
    }

    private static func bindUnix(_ path: String) throws(SystemError) -> AdminListener {
        let address = SocketAddress.unix(path: path)
        do {
            let socket = try Socket(family: address.family)
            let file = try SocketFile.bind(socket, path: path, mode: AdminSettings.unixMode)
            try socket.listen()
            return AdminListener(addresses: [address], sockets: [SocketParcel(socket)], file: file)
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
        file?.remove()
    }
}
