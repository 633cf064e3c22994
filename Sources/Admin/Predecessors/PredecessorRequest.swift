internal import Glibc
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import Sockets

/// A request to a predecessor, on its own connection. Used on the admin server's thread.
struct PredecessorRequest: Sendable {
    /// An answer.
    struct Response: Sendable {
        let status: Int
        let body: [UInt8]
    }

    /// Why there is no answer.
    enum Failure: Error, Hashable, Sendable {
        /// The process has ended, or another process has its name.
        case gone
        /// It does not answer in time.
        case silent
        /// The answer broke off, is no HTTP, or is too long.
        case broken
    }

    /// The time for an answer. A busy process has it within milliseconds; one that was stopped has none.
    static let timeout = TimeAmount.seconds(1)
    /// The longest answer, bytes: ten thousand connections take a quarter.
    static let longest = 64 << 20

    let predecessor: Predecessor
    let access: Predecessor.Access
    var method = HTTPMethod.GET
    let path: String

    /// Sends the request and returns the whole answer, within `timeout`.
    func answer(on loop: any NIOCore.EventLoop) async throws(Failure) -> Response {
        try await send(on: loop, within: Self.timeout, piece: nil)
    }

    /// Sends the request and passes each piece of its answer on, until the answer ends. On the loop.
    func follow(on loop: any NIOCore.EventLoop, _ piece: @escaping @Sendable ([UInt8]) -> Void) async throws(Failure) {
        _ = try await send(on: loop, within: nil, piece: piece)
    }

    private func send(
        on loop: any NIOCore.EventLoop, within timeout: TimeAmount?, piece: (@Sendable ([UInt8]) -> Void)?
    ) async throws(Failure) -> Response {
        let descriptor = try connect()
        let promise = loop.makePromise(of: Response.self)
        let (method, path, token) = (method, path, access.token)
        ClientBootstrap(group: loop).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHTTPClientHandlers()
                try channel.pipeline.syncOperations.addHandler(
                    PredecessorAnswer(method, path, token: token, timeout: timeout, promise, piece: piece))
            }
        }.withConnectedSocket(descriptor).whenFailure { _ in promise.fail(Failure.broken) }
        do {
            return try await promise.futureResult.get()
        } catch {
            throw error as? Failure ?? .broken
        }
    }

    private func connect() throws(Failure) -> CInt {
        let address = Sockets.SocketAddress.unix(path: access.name)
        guard let socket = try? Socket(family: address.family) else { throw .broken }
        // A connect on a Unix socket completes at once. A full backlog is EAGAIN.
        if case .failed(let error) = socket.connect(to: address) { throw error.code == ECONNREFUSED ? .gone : .silent }
        // Once it has ended, any program may use its name.
        guard socket.peerCredentials?.process == predecessor.id else { throw .gone }
        return socket.release()
    }
}

/// Sends the request once connected, and collects or passes on the answer. Confined to the channel's thread.
private final class PredecessorAnswer: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let head: HTTPRequestHead
    private let timeout: TimeAmount?
    private let piece: (@Sendable ([UInt8]) -> Void)?
    private var promise: EventLoopPromise<PredecessorRequest.Response>?
    private var due: Scheduled<Void>?
    private var status = 0
    private var body: [UInt8] = []

    init(
        _ method: HTTPMethod, _ path: String, token: String, timeout: TimeAmount?,
        _ promise: EventLoopPromise<PredecessorRequest.Response>, piece: (@Sendable ([UInt8]) -> Void)?
    ) {
        var head = HTTPRequestHead(version: .http1_1, method: method, uri: path)
        head.headers.add(name: "Host", value: "localhost")
        head.headers.add(name: "Connection", value: "close")
        head.headers.add(name: "Authorization", value: "Bearer \(token)")
        self.head = head
        self.timeout = timeout
        self.promise = promise
        self.piece = piece
    }

    func channelActive(context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        guard let timeout else { return }
        let box = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        due = context.eventLoop.scheduleTask(in: timeout) {
            let (handler, context) = box.value
            handler.finish(.failure(.silent), context)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): status = Int(head.status.code)
        case .body(let buffer):
            if let piece {
                piece(Array(buffer.readableBytesView))
            } else if body.count + buffer.readableBytes <= PredecessorRequest.longest {
                body += buffer.readableBytesView
            } else {
                finish(.failure(.broken), context)
            }
        case .end: finish(.success(.init(status: status, body: body)), context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        finish(.failure(.broken), context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(.failure(.broken), context)
    }

    /// Ends the exchange, once.
    private func finish(
        _ result: Result<PredecessorRequest.Response, PredecessorRequest.Failure>, _ context: ChannelHandlerContext
    ) {
        guard let promise else { return }
        self.promise = nil
        due?.cancel()
        switch result {
        case .success(let response): promise.succeed(response)
        case .failure(let failure): promise.fail(failure)
        }
        context.close(promise: nil)
    }
}
