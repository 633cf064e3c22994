internal import CLinux
internal import Glibc
public import Sockets

/// A listening socket of a test: the upstream of a relay.
public final class PeerListener: Sendable {
    /// The address it listens on.
    public var address: SocketAddress { socket.address }
    private let socket: Peer
    /// Its descriptor, for duplicates.
    public var fd: CInt { socket.fd }

    /// Listens on an address; port 0 becomes a free port.
    public init(
        _ address: SocketAddress = .ipv4(.loopback, port: 0), backlog: CInt = 1024, receiveBuffer: Int? = nil
    ) throws {
        let fd = try Peer.make(address.family)
        var yes: CInt = 1
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, 4)
        if var size = receiveBuffer.map({ CInt($0) }) { setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, 4) }
        guard address.withSockaddr({ bind(fd, $0, $1) }) == 0, listen(fd, backlog) == 0 else {
            let error = Errno.current
            Glibc.close(fd)
            throw TestFailure("listen on \(address): \(error.name)")
        }
        socket = Peer(adopting: fd)
    }

    /// The next client.
    public func accept(within: Duration = Deadline.usual) throws -> Peer {
        let deadline = Deadline(in: within)
        while true {
            let fd = tapline_accept(socket.fd, nil, nil)
            if fd >= 0 {
                var yes: CInt = 1
                if !address.isUnix { setsockopt(fd, CInt(IPPROTO_TCP), TCP_NODELAY, &yes, 4) }
                return Peer(adopting: fd)
            }
            guard errno == EAGAIN else { throw TestFailure("accept: \(Errno.current.name)") }
            try socket.await(POLLIN, "a client connects to \(address)", deadline)
        }
    }

    /// Whether a client waits to be accepted now.
    public var isAwaited: Bool {
        (try? socket.await(POLLIN, "", Deadline(in: .zero))) != nil
    }

    /// Stops listening.
    public func close() {
        socket.close()
    }

    /// A listener with a full queue: further clients get no answer, as from a black hole, until a client is accepted.
    public static func blackHole() throws -> PeerListener {
        let listener = try PeerListener(backlog: 0)
        _ = try Peer.connect(to: listener.address)
        return listener
    }

    /// A loopback port that was free a moment ago, in IPv4 and in IPv6.
    public static func freePort() throws -> SocketAddress {
        let listener = try PeerListener()
        defer { listener.close() }
        return listener.address
    }

    /// A loopback address that refuses connections and that the system does not assign while the test runs.
    public static func refusingAddress() throws -> SocketAddress {
        let fd = try Peer.make(AF_INET)
        let address = SocketAddress.ipv4(.loopback, port: 0)
        // Bound but not listening: a connect is refused.
        guard address.withSockaddr({ bind(fd, $0, $1) }) == 0 else {
            Glibc.close(fd)
            throw TestFailure("no free port: \(Errno.current.name)")
        }
        return Peer(adopting: fd).address
    }
}
