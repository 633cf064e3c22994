import NIOCore
import NIOHTTP1
import NIOPosix
import Sockets
import Synchronization

/// One request to an admin API and its answer, on its own connection.
///
/// All exchanges of the process share one thread, which the first of them starts; the sink is called there, in order,
/// until `.end` or `.failed`. `more` and `cancel` may be called on any thread.
final class HTTPExchange: Sendable {
    /// A part of the answer.
    enum Event: Sendable {
        /// The answer's status.
        case head(status: Int)
        /// A piece of its body.
        case body([UInt8])
        /// Everything received so far was passed on. A stream is not read again before `more()`.
        case pause
        /// The answer is complete.
        case end
        /// The answer failed, or broke off.
        case failed(HTTPTrouble)
    }

    /// A request.
    struct Request: Sendable {
        var verb = AdminClient.Verb.get
        /// The path with its query.
        var path: String
        /// Milliseconds for the complete answer; nil: a stream, whose head alone has a bound.
        var deadline: Int64? = 10_000
        /// JSON; empty: none.
        var body: [UInt8] = []
    }

    /// The bound of a connect, and of a stream's head.
    private static let connectTimeout = TimeAmount.seconds(5)

    // Never shut down: it lives until the command's process ends.
    private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    private struct State {
        var channel: (any Channel)?
        var isCancelled = false
    }

    private let state = Mutex(State())

    /// Sends the request.
    init(_ request: Request, to target: AdminTarget, sink: @escaping @Sendable (Event) -> Void) {
        let bootstrap = ClientBootstrap(group: Self.group)
            .connectTimeout(request.deadline.map { min(Self.connectTimeout, .milliseconds($0)) } ?? Self.connectTimeout)
            .channelOption(.autoRead, value: false)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(
                        HTTPAnswerHandler(request, to: target, connectTimeout: Self.connectTimeout, sink: sink))
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

    /// Connects to a path, or to an abstract name, which SwiftNIO would treat as a path.
    private static func connect(_ bootstrap: ClientBootstrap, _ path: String) -> EventLoopFuture<any Channel> {
        let address = Sockets.SocketAddress.unix(path: path)
        guard address.isAbstract else { return bootstrap.connect(unixDomainSocketPath: path) }
        do throws(Errno) {
            let socket = try Socket(family: address.family)
            // A connect on a Unix socket completes at once.
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

    /// Ends the exchange; events that are already queued may still reach the sink.
    func cancel() {
        let channel = state.withLock { state in
            state.isCancelled = true
            return state.channel
        }
        channel?.close(promise: nil)
    }
}

/// Sends the request once connected, and passes the answer's parts on. Confined to the channel's thread.
private final class HTTPAnswerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let request: HTTPExchange.Request
    private let target: AdminTarget
    private let connectTimeout: TimeAmount
    private let sink: @Sendable (HTTPExchange.Event) -> Void
    private var isAnswered = false
    private var isOver = false
    private var due: Scheduled<Void>?

    init(
        _ request: HTTPExchange.Request, to target: AdminTarget, connectTimeout: TimeAmount,
        sink: @escaping @Sendable (HTTPExchange.Event) -> Void
    ) {
        self.request = request
        self.target = target
        self.connectTimeout = connectTimeout
        self.sink = sink
    }

    func channelActive(context: ChannelHandlerContext) {
        var head = HTTPRequestHead(
            version: .http1_1, method: HTTPMethod(rawValue: request.verb.rawValue), uri: request.path)
        head.headers.add(name: "Host", value: target.address.host)
        head.headers.add(name: "Connection", value: "close")
        if let token = target.token { head.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if request.verb == .post { head.headers.add(name: "Content-Length", value: "\(request.body.count)") }
        if !request.body.isEmpty { head.headers.add(name: "Content-Type", value: "application/json") }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !request.body.isEmpty {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: request.body)))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        let box = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        let time = request.deadline.map { TimeAmount.milliseconds($0) } ?? connectTimeout
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
        // The parser also reports an answer that breaks off.
        let isForeign = error is HTTPParserError && !isAnswered
        finish(.failed(isForeign ? .notHTTP : .cut), context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(.failed(.cut), context)
    }

    /// Passes the last event on, once.
    private func finish(_ event: HTTPExchange.Event, _ context: ChannelHandlerContext) {
        guard !isOver else { return }
        isOver = true
        due?.cancel()
        sink(event)
        context.close(promise: nil)
    }
}
