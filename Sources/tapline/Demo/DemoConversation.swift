import EventLoop
import Glibc
import Sockets

/// The client of the demo: connects by name, says something, waits for it to come back, and closes.
///
/// Confined to the loop's thread. It tells of each step; whoever made it closes it.
final class DemoConversation {
    /// What happens to it, in this order, or `failed` at any time.
    enum Step: Hashable {
        /// The name has these addresses.
        case found([SocketAddress])
        /// Connected, from one address to the other.
        case connected(from: SocketAddress, to: SocketAddress)
        /// Everything is sent.
        case sent
        /// Everything came back. The client is about to close.
        case received
        /// The client has closed.
        case closed
        /// It cannot go on; says why.
        case failed(String)
    }

    /// What the client sends.
    static let greeting = "Hello, server!"
    /// The name it connects to.
    static let host = "localhost"

    private let loop: EventLoop
    private let port: UInt16
    private let tell: (Step) -> Void
    private var lookup: NameLookup?
    private var client: DemoClient?
    private var candidates: ArraySlice<SocketAddress> = []

    /// Starts by looking up the name.
    init(loop: EventLoop, port: UInt16, tell: @escaping (Step) -> Void) throws(UVError) {
        self.loop = loop
        self.port = port
        self.tell = tell
        lookup = try NameLookup(loop: loop, host: Self.host) { [weak self] in self?.found($0) }
    }

    /// Ends it, wherever it stands. It tells nothing any more.
    func close() {
        lookup?.cancel()
        lookup = nil
        candidates = []
        client?.close()
        client = nil
    }

    private func found(_ result: Result<[SocketAddress], NameLookup.Failure>) {
        lookup = nil
        switch result {
        case .success(let addresses):
            let targets = addresses.map { $0.with(port: port) }
            tell(.found(targets))
            candidates = targets[...]
            connectToNext(after: nil)
        case .failure(.notFound): tell(.failed("this system does not know the name \(Self.host)"))
        case .failure(.failed(let words)): tell(.failed("the name \(Self.host) cannot be looked up: \(words)"))
        }
    }

    private func connectToNext(after failure: SystemError?) {
        guard let target = candidates.popFirst() else {
            tell(.failed(failure?.description ?? "the name \(Self.host) has no address"))
            return
        }
        do {
            client = try DemoClient(loop: loop, target: target) { [unowned self] in handle($0, target) }
        } catch {
            connectToNext(after: error as? SystemError ?? failure)
        }
    }

    private func handle(_ event: DemoClient.Event, _ target: SocketAddress) {
        switch event {
        case .connected(let local): tell(.connected(from: local, to: target))
        case .sent: tell(.sent)
        case .received(let bytes) where bytes == Array(Self.greeting.utf8):
            tell(.received)
            client?.close()
            client = nil
            tell(.closed)
        case .received: tell(.failed("what came back is not what was sent"))
        case .endedEarly: tell(.failed("the relay ended the connection before everything had come back"))
        case .connectFailed(let error):
            client?.close()
            client = nil
            connectToNext(after: error)
        case .failed(let error): tell(.failed(error.description))
        }
    }
}

/// One attempt of the demo's client, and the conversation if it is connected.
private final class DemoClient: Poll {
    enum Event {
        case connected(SocketAddress)
        case sent
        case received([UInt8])
        case endedEarly
        case connectFailed(SystemError)
        case failed(SystemError)
    }

    private let target: SocketAddress
    private let socket: Socket
    private let tell: (Event) -> Void
    private let buffer = ByteBuffer(capacity: 4096)
    private var isConnected = false
    private var isSent = false
    private var received: [UInt8] = []

    init(loop: EventLoop, target: SocketAddress, tell: @escaping (Event) -> Void) throws {
        self.target = target
        self.tell = tell
        do {
            socket = try Socket(family: target.family)
        } catch {
            throw SystemError("connect to \(target)", error)
        }
        if case .failed(let error) = socket.connect(to: target) {
            throw SystemError("connect to \(target)", error)
        }
        // Connected or not yet: either way the socket becomes writable, so that there is one way on.
        try super.init(loop: loop, fd: socket.fd, for: .writable)
    }

    override func ready(_ events: Events) {
        if !isConnected { connected() }
        if isConnected, !isSent { send() }
        if isSent, !isClosed { receive() }
    }

    private func connected() {
        if let error = socket.takeError() {
            tell(.connectFailed(SystemError("connect to \(target)", error)))
            return
        }
        isConnected = true
        tell(.connected(socket.localAddress ?? target))
    }

    private func send() {
        let greeting = Array(DemoConversation.greeting.utf8)
        // Fourteen bytes always fit into the empty queue of a socket just connected.
        guard Glibc.send(socket.fd, greeting, greeting.count, CInt(MSG_NOSIGNAL)) == greeting.count else {
            return tell(.failed(SystemError("send to \(target)", .current)))
        }
        isSent = true
        watch(.readable)
        tell(.sent)
    }

    private func receive() {
        switch socket.receive(into: buffer, limit: buffer.capacity) {
        case .moved(let count):
            received += buffer.withBytes(from: 0, count: count) { [UInt8](copying: $0) }
            if received.count >= DemoConversation.greeting.utf8.count { tell(.received(received)) }
        case .endOfStream: tell(.endedEarly)
        case .wouldBlock: break
        case .failed(let error): tell(.failed(SystemError("receive from \(target)", error)))
        }
    }
}
