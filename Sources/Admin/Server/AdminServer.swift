public import Configuration
internal import Glibc
internal import HTTPTypes
internal import HummingbirdCore
public import Logging
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypes
internal import NIOPosix
internal import Relay
public import Sockets
internal import Synchronization

/// The admin API: HTTP on sockets that somebody else has bound.
///
/// Made by the supervisor, used from its thread; everything else happens on one thread of the server's own, which is
/// started at the first `serve`, runs at a lower priority than the workers, and lives until the process ends. It talks
/// to the workers by their mailboxes only.
public final class AdminServer: Sendable {
    /// How many clients there are at once, where the limit of descriptors allows it. Half of them may follow a stream:
    /// whoever does is never in the others' way, and a probe always finds room.
    static let mostClients = 64
    /// How much a request's header may have, and its body.
    static let mostHeaderBytes = 16 << 10
    static let mostBodyBytes = 64 << 10

    /// How long clients of streams have to take the end of them.
    private static let lastWords = TimeAmount.milliseconds(100)
    /// How long clients may take for the request they are at when another process serves the next ones.
    private static let lastRequests = TimeAmount.milliseconds(250)

    /// Whom the gate lets in; a reload may change it.
    struct Terms: Sendable {
        var hosts: [String]
        var token: AdminToken?
    }

    private struct Running {
        var thread: LoopExecutor?
        var responder: Responder?
        var listener: AdminListener?
        var channels: [any Channel] = []
        /// How long clients stay when it listens no more.
        var grace = TimeAmount.zero
    }

    private let services: AdminServices
    private let logger: Logger
    private let terms = Mutex(Terms(hosts: [], token: nil))
    private let running = Mutex(Running())

    /// A server that does not listen yet.
    public init(_ services: AdminServices, logger: Logger) {
        self.services = services
        self.logger = logger
    }

    /// Where it listens; empty while it does not.
    public var addresses: [Sockets.SocketAddress] { running.withLock { $0.listener?.addresses ?? [] } }

    /// Whom it lets in from now on: names good in `Host`, and the token.
    public func set(_ settings: AdminSettings, token: AdminToken?) {
        terms.withLock { $0 = Terms(hosts: settings.hosts, token: token) }
    }

    // MARK: Listening

    /// Serves a listener; one that was served before is closed, its clients with it.
    public func serve(_ listener: AdminListener) {
        stop {}
        let most = min(Self.mostClients, max(4, services.relays.descriptorLimit / 40))
        let (thread, responder) = running.withLock { running in
            let thread = running.thread ?? Self.startThread()
            let responder =
                running.responder
                ?? Responder(
                    Collector(services, on: thread), services, on: thread, mostStreams: most / 2, logger: logger,
                    terms: { [self] in self.terms.withLock { $0 } })
            running.thread = thread
            running.responder = responder
            running.listener = listener
            return (thread, responder)
        }
        services.journal.keep(true)
        var descriptors: [CInt] = []
        for parcel in listener.sockets {
            if let socket = parcel.take() { descriptors.append(socket.release()) }
        }
        accept(on: descriptors, thread, responder, most: most)
    }

    private static func startThread() -> LoopExecutor {
        // Never shut down: a task that somebody left behind may still want to run on it.
        let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
        Inheritance.end()
        // On Linux this concerns the calling thread alone (setpriority(2), "C library/kernel differences").
        loop.execute { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10) }
        return LoopExecutor(loop)
    }

    private func accept(on descriptors: [CInt], _ thread: LoopExecutor, _ responder: Responder, most: Int) {
        let loop = thread.loop
        let logger = logger
        loop.execute { [self] in
            let table = NIOLoopBound(ClientTable(most: most), eventLoop: loop)
            let http = HTTP1Channel(
                responder: { request, writer, _ in try await responder.respond(to: request, writer) },
                configuration: .init(
                    additionalChannelHandlers: [ClientWatch(table.value), UnreadableRequest()],
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: Self.mostHeaderBytes, maxHeaderListSize: Self.mostHeaderBytes,
                        maxHeaderFieldCount: 100)))
            let bootstrap = ServerBootstrap(group: loop)
                .serverChannelOption(.maxMessagesPerRead, value: 16)
                .childChannelOption(.allowRemoteHalfClosure, value: true)
                .childChannelInitializer { channel in
                    Inheritance.end()
                    return http.setup(channel: channel, logger: logger).flatMapThrowing { value in
                        let pipeline = channel.pipeline.syncOperations
                        let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
                        try pipeline.addHandler(TargetAuthority(), position: .after(decoder))
                        let task = Task(executorPreference: thread) { await http.handle(value: value, logger: logger) }
                        // A stream that has nothing to write would never notice that nobody is left to write to.
                        channel.closeFuture.whenComplete { _ in task.cancel() }
                    }
                }
            for descriptor in descriptors {
                bootstrap.withBoundSocket(descriptor).whenComplete { result in
                    switch result {
                    case .success(let channel):
                        channel.closeFuture.whenComplete { _ in
                            let grace = self.running.withLock { $0.grace }
                            guard grace > .zero else { return table.value.closeAll() }
                            loop.scheduleTask(in: grace) { table.value.closeAll() }
                        }
                        self.took(channel)
                    case .failure(let error):
                        logger.error("the admin API cannot accept clients", metadata: ["error": "\(error)"])
                    }
                }
            }
        }
    }

    /// A socket is served now, unless the server was stopped in the meantime.
    private func took(_ channel: any Channel) {
        let isWanted = running.withLock { running in
            guard running.listener != nil else { return false }
            running.channels.append(channel)
            return true
        }
        if !isWanted { channel.close(promise: nil) }
    }

    /// Listens no more: the socket's file is removed now, `done` is called when everything is closed, perhaps on
    /// another thread.
    public func stop(then done: @escaping @Sendable () -> Void) {
        let (state, hadStreams) = endListening(grace: .zero)
        state.listener?.removeFile()
        close(state, after: hadStreams ? Self.lastWords : .zero, then: done)
    }

    /// Another process serves the same sockets: listens no more, leaves the file, and lets clients finish the request
    /// they are at, for a moment. `done` is called then, perhaps on another thread.
    public func leave(then done: @escaping @Sendable () -> Void) {
        let grace = Self.lastRequests
        let (state, _) = endListening(grace: grace)
        close(state, after: .zero) {
            guard let thread = state.thread else { return done() }
            thread.loop.scheduleTask(in: grace, done)
        }
    }

    /// Copies of the sockets for a process that takes this one's place, none numbered under `lowest`.
    public func copyListeners(from lowest: Int32) throws(SystemError) -> [HandedSocket] {
        guard let listener = running.withLock({ $0.listener }) else { return [] }
        do {
            return try listener.copies(from: lowest)
        } catch {
            throw SystemError("copy the admin API's sockets for another process", error)
        }
    }

    /// The process that had handed the sockets over is through with them. Returns the file of a Unix socket that is this
    /// one's from now on.
    public func ownFile() -> SocketFile? {
        let listener = running.withLock { $0.listener }
        listener?.ownFile()
        return listener?.file
    }

    private func endListening(grace: TimeAmount) -> (state: Running, hadStreams: Bool) {
        let state = running.withLock { running in
            defer {
                running.listener = nil
                running.channels = []
                running.grace = grace
            }
            return running
        }
        guard let listener = state.listener else { return (state, false) }
        listener.closeCopies()
        services.journal.keep(false)
        return (state, state.responder?.endStreams() ?? false)
    }

    private func close(_ state: Running, after delay: TimeAmount, then done: @escaping @Sendable () -> Void) {
        guard let thread = state.thread, state.listener != nil else { return done() }
        let channels = state.channels
        thread.loop.scheduleTask(in: delay) {
            let closing = channels.map { channel in
                channel.close(promise: nil)
                return channel.closeFuture
            }
            EventLoopFuture.andAllComplete(closing, on: thread.loop).whenComplete { _ in done() }
        }
    }
}
