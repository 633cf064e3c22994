import NIOCore
import NIOHTTP1
import NIOPosix
import Sockets
import Synchronization

/// One request to an admin API and what comes back, on a connection of its own.
///
/// Everything happens on one thread that all exchanges of the process share, started by the first of them; the sink is
/// called there, in order, until `.end` or `.failed`. Any thread may ask for more, or cancel.
final class HTTPExchange: Sendable {
    /// What comes back.
    enum Event: Sendable {
        /// The answer's status.
        case head(status: Int)
        /// A piece of its body.
        case body([UInt8])
        /// All that has come is told. Of a stream nothing more is read before `more()`.
        case pause
        /// The answer is whole.
        case end
        /// There is no answer, or no more of it.
        case failed(HTTPTrouble)
    }

    /// What to ask.
    struct Request: Sendable {
        var verb = AdminClient.Verb.get
        /// The path with its query.
        var path: String
        /// Milliseconds within which the answer must be whole; nil: it is a stream, of which only the head is due.
        var deadline: Int64? = 10_000
    }

    /// How long a connect, and the head of a stream, may take.
    private static let patience = TimeAmount.seconds(5)

    // Never shut down: it ends with the process, which is a command's.
    private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    private struct State {
        var channel: (any Channel)?
        var isCancelled = false
    }

    private let state = Mutex(State())

    /// Starts it.
    init(_ request: Request, to target: AdminTarget, sink: @escaping @Sendable (Event) -> Void) {
        let bootstrap = ClientBootstrap(group: Self.group)
            .connectTimeout(request.deadline.map { min(Self.patience, .milliseconds($0)) } ?? Self.patience)
            .channelOption(.autoRead, value: false)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(
                        HTTPAnswerHandler(request, to: target, patience: Self.patience, sink: sink))
                }
            }
        let connecting =
            switch target.address {
            case .tcp(let host, let port): bootstrap.connect(host: host, port: Int(port))
            case .unix(let path): Self.connect(bootstrap, path)
            }
        connecting.whenComplete { [self] result in
            switch result {
            case .success(let channel): took(channel)
            case .failure(let error): sink(.failed(HTTPTrouble(connecting: error)))
            }
        }
    }

    /// Connects to a path, or to an abstract name, which SwiftNIO would take for a path.
    private static func connect(_ bootstrap: ClientBootstrap, _ path: String) -> EventLoopFuture<any Channel> {
        let address = Sockets.SocketAddress.unix(path: path)
        guard address.isAbstract else { return bootstrap.connect(unixDomainSocketPath: path) }
        do throws(Errno) {
            let socket = try Socket(family: address.family)
            // A Unix socket is connected at once or not at all.
            if case .failed(let error) = socket.connect(to: address) { throw error }
            return bootstrap.withConnectedSocket(socket.release())
        } catch {
            return group.next().makeFailedFuture(IOError(errnoCode: error.code, reason: "connect"))
        }
    }

    private func took(_ channel: any Channel) {
        let isCancelled = state.withLock { state in
            state.channel = channel
            return state.isCancelled
        }
        if isCancelled { channel.close(promise: nil) }
    }

    /// Reads on after `.pause`.
    func more() {
        state.withLock { $0.channel }?.read()
    }

    /// Wants no more of it; what was told already may still reach the sink.
    func cancel() {
        let channel = state.withLock { state in
            state.isCancelled = true
            return state.channel
        }
        channel?.close(promise: nil)
    }
}

/// Sends the request once connected, and tells what comes. Confined to the channel's thread.
private final class HTTPAnswerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let request: HTTPExchange.Request
    private let target: AdminTarget
    private let patience: TimeAmount
    private let sink: @Sendable (HTTPExchange.Event) -> Void
    private var isAnswered = false
    private var isOver = false
    private var due: Scheduled<Void>?

    init(
        _ request: HTTPExchange.Request, to target: AdminTarget, patience: TimeAmount,
        sink: @escaping @Sendable (HTTPExchange.Event) -> Void
    ) {
        self.request = request
        self.target = target
        self.patience = patience
        self.sink = sink
    }

    func channelActive(context: ChannelHandlerContext) {
        var head = HTTPRequestHead(
            version: .http1_1, method: HTTPMethod(rawValue: request.verb.rawValue), uri: request.path)
        head.headers.add(name: "Host", value: target.address.host)
        head.headers.add(name: "Connection", value: "close")
        if let token = target.token { head.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if request.verb == .post { head.headers.add(name: "Content-Length", value: "0") }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        let box = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        let time = request.deadline.map { TimeAmount.milliseconds($0) } ?? patience
        due = context.eventLoop.scheduleTask(in: time) {
            let (handler, context) = box.value
            handler.finish(.failed(.timeout), context)
        }
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            if request.deadline == nil { due?.cancel() }
            isAnswered = true
            sink(.head(status: Int(head.status.code)))
        case .body(let buffer): sink(.body(Array(buffer.readableBytesView)))
        case .end: finish(.end, context)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard !isOver else { return }
        if request.deadline == nil { sink(.pause) } else { context.read() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The parser minds an end in the middle of an answer, too.
        let isForeign = error is HTTPParserError && !isAnswered
        finish(.failed(isForeign ? .notHTTP : .cut), context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(.failed(.cut), context)
    }

    /// Says the last word, once.
    private func finish(_ event: HTTPExchange.Event, _ context: ChannelHandlerContext) {
        guard !isOver else { return }
        isOver = true
        due?.cancel()
        sink(event)
        context.close(promise: nil)
    }
}
