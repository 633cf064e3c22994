internal import EventLoop
internal import Sockets

/// One socket whose connect is in progress. Owned by its dialer, on the loop's thread.
final class Attempt: Poll {
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

    /// Ends the watch and returns the socket.
    func takeSocket() -> Socket {
        close()
        var taken = Socket(adopting: -1)
        swap(&taken, &socket)
        return taken
    }

    /// Ends the watch and closes the socket.
    func end() {
        close(andDescriptor: true)
        socket.close()
    }
}
