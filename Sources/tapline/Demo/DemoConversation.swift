import EventLoop
import Glibc
import Sockets

/// The demo's client: connects by name, sends a greeting, waits for the echo, and closes.
///
/// Confined to the loop's thread. It reports each step; its owner closes it.
final class DemoConversation {
    /// The steps, in this order; `failed` can follow any of them.
    enum Step: Hashable {
        /// The name has these addresses.
        case found([SocketAddress])
        /// Connected, from one address to the other.
        case connected(from: SocketAddress, to: SocketAddress)
        /// The greeting is sent.
        case sent
        /// The whole echo was received. The client is about to close.
        case received
        /// The client has closed.
        case closed
        /// The conversation failed, with the reason.
        case failed(String)
    }

    /// The bytes that the client sends.
    static let greeting = "Hello, server!"
    /// The name it connects to.
    static let host = "localhost"

    private let loop: EventLoop
    private let port: UInt16
    private let report: (Step) -> Void
    private var lookup: NameLookup?
    private var client: DemoClient?
    private var candidates: ArraySlice<SocketAddress> = []

    /// Starts with the name lookup.
    init(loop: EventLoop, port: UInt16, report: @escaping (Step) -> Void) throws(UVError) {
        self.loop = loop
        self.port = port
        self.report = report
        lookup = try NameLookup(loop: loop, host: Self.host) { [weak self] in self?.found($0) }
    }

    /// Ends the conversation at any step; nothing more is reported.
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
            report(.found(targets))
            candidates = targets[...]
            connectToNext(after: nil)
        case .failure(.notFound): report(.failed("the name \(Self.host) does not exist on this system"))
        case .failure(.failed(let words)): report(.failed("the name \(Self.host) cannot be resolved: \(words)"))
        }
    }

    private func connectToNext(after failure: SystemError?) {
        guard let target = candidates.popFirst() else {
            report(.failed(failure?.description ?? "the name \(Self.host) has no address"))
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
        case .connected(let local): report(.connected(from: local, to: target))
        case .sent: report(.sent)
        case .received(let bytes) where bytes == Array(Self.greeting.utf8):
            report(.received)
            client?.close()
            client = nil
            report(.closed)
        case .received: report(.failed("the answer differs from what was sent"))
        case .endedEarly: report(.failed("the relay closed the connection before the whole answer had arrived"))
        case .connectFailed(let error):
            client?.close()
            client = nil
            connectToNext(after: error)
        case .failed(let error): report(.failed(error.description))
        }
    }
}

/// One connection attempt of the demo's client, and the conversation over it.
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
    private let report: (Event) -> Void
    private let buffer = ByteBuffer(capacity: 4096)
    private var isConnected = false
    private var isSent = false
    private var received: [UInt8] = []

    init(loop: EventLoop, target: SocketAddress, report: @escaping (Event) -> Void) throws {
        self.target = target
        self.report = report
        do {
            socket = try Socket(family: target.family)
        } catch {
            throw SystemError("connect to \(target)", error)
        }
        if case .failed(let error) = socket.connect(to: target) {
            throw SystemError("connect to \(target)", error)
        }
        // Whether connected or in progress, the socket becomes writable: one path for both.
        try super.init(loop: loop, fd: socket.fd, for: .writable)
    }

    override func ready(_ events: Events) {
        if !isConnected { connected() }
        if isConnected, !isSent { send() }
        if isSent, !isClosed { receive() }
    }

    private func connected() {
        if let error = socket.takeError() {
            report(.connectFailed(SystemError("connect to \(target)", error)))
            return
        }
        isConnected = true
        report(.connected(socket.localAddress ?? target))
    }

    private func send() {
        let greeting = Array(DemoConversation.greeting.utf8)
        // Fourteen bytes always fit into the empty queue of a socket just connected.
        guard Glibc.send(socket.fd, greeting, greeting.count, CInt(MSG_NOSIGNAL)) == greeting.count else {
            return report(.failed(SystemError("send to \(target)", .current)))
        }
        isSent = true
        watch(.readable)
        report(.sent)
    }

    private func receive() {
        switch socket.receive(into: buffer, limit: buffer.capacity) {
        case .moved(let count):
            received += buffer.withBytes(from: 0, count: count) { [UInt8](copying: $0) }
            if received.count >= DemoConversation.greeting.utf8.count { report(.received(received)) }
        case .endOfStream: report(.endedEarly)
        case .wouldBlock: break
        case .failed(let error): report(.failed(SystemError("receive from \(target)", error)))
        }
    }
}
