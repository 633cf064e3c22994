import EventLoop
import Glibc
import Sockets

/// An upstream that sends back whatever it receives, on a free port of 127.0.0.1 and a thread of its own.
///
/// For the demo: it holds at most 64 KiB a connection, and stops reading while its client does not.
final class EchoServer: Sendable {
    /// Where it listens.
    let address: SocketAddress
    private let thread: LoopThread
    private let mailbox: Mailbox<Void>

    private struct Ready: Sendable {
        let mailbox: Mailbox<Void>
        let address: SocketAddress
    }

    /// Starts to listen. Throws a `SystemError` when the system has no port.
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

/// The listening socket of the echo, and its connections.
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
        case .nobody: break
        case .failed:
            // Mostly out of descriptors: asking again at once would spin, the next end makes room.
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

/// One connection of the echo.
private final class EchoConnection: Poll {
    var ended: (() -> Void)?
    private let socket: Socket
    private let buffer = ByteBuffer(capacity: 64 * 1024)
    /// What was received and not sent back yet: the range of the buffer.
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
