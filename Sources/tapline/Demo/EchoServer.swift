import EventLoop
import Sockets

/// An echo server on a free port of 127.0.0.1, with its own thread.
///
/// It buffers at most 64 KiB per connection, and stops reading while the client does not read.
final class EchoServer: Sendable {
    /// Its listening address.
    let address: SocketAddress
    private let thread: LoopThread
    private let mailbox: Mailbox<Void>

    private struct Ready: Sendable {
        let mailbox: Mailbox<Void>
        let address: SocketAddress
    }

    /// Starts listening. Throws a `SystemError`.
    init() throws {
        let (thread, ready) = try LoopThread.start(name: "echo upstream") { loop in
            let listener = try EchoListener(loop: loop)
            let mailbox = try Mailbox<Void>(loop: loop) { _ in listener.stop() }
            listener.mailbox = mailbox
            return Ready(mailbox: mailbox, address: listener.address)
        }
        self.thread = thread
        mailbox = ready.mailbox
        address = ready.address
    }

    /// Closes every connection and ends the thread. Once.
    func stop() {
        mailbox.post(())
        thread.join()
    }
}

/// The listening socket and its connections.
private final class EchoListener: Poll {
    let address: SocketAddress
    var mailbox: Mailbox<Void>?
    private let loop: EventLoop
    private let socket: Socket
    private var connections: [ObjectIdentifier: EchoConnection] = [:]

    init(loop: EventLoop) throws {
        let wanted = SocketAddress.ipv4(.loopback, port: 0)
        do {
            socket = try Socket(family: wanted.family)
            try socket.bind(to: wanted, sharing: false)
            try socket.listen()
        } catch {
            throw SystemError("listen on \(wanted)", error)
        }
        address = socket.localAddress ?? wanted
        self.loop = loop
        try super.init(loop: loop, fd: socket.fd, for: .readable)
    }

    override func ready(_ events: Events) {
        switch socket.accept() {
        case .client(let client, _):
            guard let connection = try? EchoConnection(loop: loop, socket: client) else { return }
            let key = ObjectIdentifier(connection)
            connections[key] = connection
            connection.ended = { [unowned self] in
                connections[key] = nil
                watch(.readable)
            }
        case .queueEmpty: break
        case .failed:
            // Mostly EMFILE: accepting again at once would spin, and the end of a connection frees a descriptor.
            rest()
        }
    }

    func stop() {
        close()
        for connection in connections.values { connection.close() }
        connections = [:]
        mailbox?.close()
        mailbox = nil
    }
}

/// One connection.
private final class EchoConnection: Poll {
    var ended: (() -> Void)?
    private let socket: Socket
    private let buffer = ByteBuffer(capacity: 64 * 1024)
    /// The range of the buffer that was received and not yet sent back.
    private var held = 0..<0
    private var hasPeerEnded = false

    init(loop: EventLoop, socket: consuming Socket) throws(UVError) {
        self.socket = socket
        try super.init(loop: loop, fd: self.socket.fd, for: .readable)
    }

    override func ready(_ events: Events) {
        if held.isEmpty, !hasPeerEnded {
            switch socket.receive(into: buffer, limit: buffer.capacity) {
            case .moved(let count): held = 0..<count
            case .endOfStream: hasPeerEnded = true
            case .wouldBlock: break
            case .failed: return end()
            }
        }
        if !held.isEmpty {
            switch socket.send(buffer, from: held.lowerBound, count: held.count) {
            case .moved(let count): held = held.lowerBound + count..<held.upperBound
            case .wouldBlock, .endOfStream: break
            case .failed: return end()
            }
        }
        if held.isEmpty, hasPeerEnded { return end() }
        watch(held.isEmpty ? .readable : .writable)
    }

    private func end() {
        close()
        ended?()
        ended = nil
    }
}
