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

/// The admin API: HTTP on bound sockets.
///
/// Owned by the supervisor and used on its thread. Everything else runs on one thread of the server's own, which is started
/// by the first `serve`, has a lower priority than the workers, and lives until the process ends. It reaches the workers
/// through their mailboxes only.
public final class AdminServer: Sendable {
    /// The largest number of clients, if the limit of descriptors allows it. Half of them may follow a stream, so that
    /// there is always room for a probe.
    static let mostClients = 64
    /// The largest header and the largest body of a request.
    static let mostHeaderBytes = 16 << 10
    static let mostBodyBytes = 64 << 10

    /// The time in which clients of streams can read the end of the stream.
    private static let streamGrace = TimeAmount.milliseconds(100)
    /// The time in which clients can finish a request when another process or another socket serves the next one. A list
    /// with rates takes 250 ms after a pause (`Collector`).
    private static let requestGrace = TimeAmount.milliseconds(450)
    /// The delay after which a listening socket that SwiftNIO has closed is served again.
    private static let pause = TimeAmount.seconds(1)
    /// The shortest time between log entries about that, in nanoseconds.
    private static let logPeriod: UInt64 = 60_000_000_000

    /// What the gate requires of requests. A reload may change it.
    struct Terms: Sendable {
        var hosts: [String]
        var token: AdminToken?
    }

    private struct Running {
        var thread: LoopExecutor?
        var responder: Responder?
        var listener: AdminListener?
        var channels: [any Channel] = []
        /// The clients of this listener and of previous ones, under one limit. Created on the loop.
        var table: NIOLoopBound<ClientTable>?
    }

    /// What happens to clients when their listener is closed.
    private enum Closing {
        /// All are closed, streams after their last events.
        case now
        /// All are closed after `requestGrace`: another process serves the next requests. Those of the listener for that
        /// process stay, if there is one.
        case afterRequests(except: AdminListener?)
        /// The same, but streams continue: the API has moved to other sockets.
        case streamsStay
    }

    private let services: AdminServices
    private let logger: Logger
    private let refusal: @Sendable () -> Errno?
    private let terms = Mutex(Terms(hosts: [], token: nil))
    private let running = Mutex(Running())
    private let failures = AcceptFailures(logEvery: AdminServer.logPeriod)

    /// A server that does not listen yet.
    public convenience init(_ services: AdminServices, logger: Logger) {
        self.init(services, logger: logger, refusal: Errno.refusingEventLoop)
    }

    /// `refusal` returns the error with which the system would refuse the thread, or nil.
    init(_ services: AdminServices, logger: Logger, refusal: @escaping @Sendable () -> Errno?) {
        self.services = services
        self.logger = logger
        self.refusal = refusal
    }

    /// The addresses that it listens on.
    public var addresses: [Sockets.SocketAddress] { running.withLock { $0.listener?.addresses ?? [] } }

    /// The addresses, for listeners that are bound before it moves.
    public var held: [HeldAddress] { running.withLock { $0.listener?.held ?? [] } }

    /// Sets the names that `Host` may contain, and the token.
    public func set(_ settings: AdminSettings, token: AdminToken?) {
        terms.withLock { $0 = Terms(hosts: settings.hosts, token: token) }
    }

    // MARK: Listening

    /// Drops the end records, and stores no more: no listener is going to be served.
    public func forgetRecords() {
        services.journal.keep(false)
    }

    /// Serves a listener and closes the previous one. End records, events, and the streams of the previous listener's clients
    /// are kept. `closed` is called when the previous addresses are closed, perhaps on another thread.
    public func serve(_ listener: AdminListener, closed: @escaping @Sendable () -> Void = {}) {
        let old = endListening()
        old.listener?.removeFile()
        listener.removeReplaced()
        close(old, .streamsStay, closed: closed) {}
        services.journal.keep(true)
        begin(listener)
    }

    private func begin(_ listener: AdminListener) {
        let most = min(Self.mostClients, max(4, services.relays.descriptorLimit / 40))
        let (thread, responder, isNew) = running.withLock { running in
            let thread = running.thread ?? Self.startThread()
            let isNew = running.responder == nil
            let responder =
                running.responder
                ?? Responder(
                    Collector(services, on: thread), services, on: thread, mostStreams: most / 2, logger: logger,
                    terms: { [self] in self.terms.withLock { $0 } })
            running.thread = thread
            running.responder = responder
            running.listener = listener
            return (thread, responder, isNew)
        }
        if isNew {
            services.predecessors.start(on: thread) { [pump = responder.pump] in pump.publish(ended: $0) }
        }
        responder.sampler.start()
        var descriptors: [(position: Int, descriptor: CInt)] = []
        for (position, parcel) in listener.sockets.enumerated() {
            if let socket = parcel.takeSocket() { descriptors.append((position, socket.release())) }
        }
        accept(on: descriptors, of: listener, thread, responder, most: most)
    }

    /// Throws if the API's thread is not running and cannot be started. Called before `serve`, in which SwiftNIO would end
    /// the process, and with it every connection.
    public func checkThread(for listen: ListenAddress) throws(SystemError) {
        guard running.withLock({ $0.thread == nil }), let error = refusal() else { return }
        let attempt = listen.socketAddresses.first.map { AdminListener.attempt($0) } ?? "serve the admin API"
        throw SystemError(
            attempt, error,
            advice: "its thread cannot be started: raise the limit on threads (pids.max, `ulimit -u`) or on open files",
            subject: .admin)
    }

    private static func startThread() -> LoopExecutor {
        // Never shut down: a remaining task may still have to run on it.
        let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
        Inheritance.end()
        // On Linux this affects the calling thread only (setpriority(2), "C library/kernel differences").
        loop.execute { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10) }
        return LoopExecutor(loop)
    }

    private func accept(
        on descriptors: [(position: Int, descriptor: CInt)], of listener: AdminListener, _ thread: LoopExecutor,
        _ responder: Responder, most: Int
    ) {
        let loop = thread.loop
        let logger = logger
        loop.execute { [self] in
            let table = running.withLock { running in
                let table = running.table ?? NIOLoopBound(ClientTable(most: most), eventLoop: loop)
                running.table = table
                return table
            }
            let group = ObjectIdentifier(listener)
            let door = Responder.Door(
                isUnix: listener.addresses.contains { $0.isUnix }, token: listener.successorsToken)
            let http = HTTP1Channel(
                responder: { request, writer, channel in
                    try await responder.respond(to: request, by: Requester(channel, at: door), at: door, writer)
                },
                configuration: .init(
                    additionalChannelHandlers: [ClientWatch(table.value, group: group), UnreadableRequest()],
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: Self.mostHeaderBytes, maxHeaderListSize: Self.mostHeaderBytes,
                        maxHeaderFieldCount: 100)))
            let bootstrap = ServerBootstrap(group: loop)
                .serverChannelOption(.maxMessagesPerRead, value: 16)
                .serverChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(AcceptErrors(self.failures))
                    }
                }
                .childChannelOption(.allowRemoteHalfClosure, value: true)
                .childChannelInitializer { channel in
                    Inheritance.end()
                    guard door.token == nil || PeerCredentials.isOfOwnUser(channel) else {
                        channel.close(promise: nil)
                        return channel.eventLoop.makeSucceededVoidFuture()
                    }
                    return http.setup(channel: channel, logger: logger).flatMapThrowing { value in
                        let pipeline = channel.pipeline.syncOperations
                        let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
                        // Each is added directly after the decoder, so the second precedes the first.
                        try pipeline.addHandler(TargetAuthority(), position: .after(decoder))
                        try pipeline.addHandler(ResponseFraming(), position: .after(decoder))
                        let task = Task(executorPreference: thread) { await http.handle(value: value, logger: logger) }
                        // A stream without events would never detect that its client has left.
                        channel.closeFuture.whenComplete { _ in task.cancel() }
                    }
                }
            for (position, descriptor) in descriptors {
                let tryAgain: @Sendable () -> Void = { [self] in
                    reopen(position, of: listener) { [self] descriptor in
                        accept(on: [(position, descriptor)], of: listener, thread, responder, most: most)
                    }
                }
                bootstrap.withBoundSocket(descriptor).whenComplete { [self] result in
                    switch result {
                    case .success(let channel):
                        keep(channel, of: listener)
                        channel.closeFuture.whenComplete { [self] _ in
                            running.withLock { $0.channels.removeAll { $0 === channel } }
                            tryAgain()
                        }
                    case .failure(let error):
                        failures.note("\(error)")
                        tryAgain()
                    }
                }
            }
        }
    }

    /// Keeps the channel of a socket that is served now, unless the server was stopped or moved in the meantime.
    private func keep(_ channel: any Channel, of listener: AdminListener) {
        let isCurrent = running.withLock { running in
            guard running.listener === listener else { return false }
            running.channels.append(channel)
            return true
        }
        if !isCurrent { channel.close(promise: nil) }
    }

    /// Serves a socket again after a pause, unless the server has stopped or moved: SwiftNIO closes it on most errors of
    /// accept(2), including those of a single client. On the loop.
    private func reopen(
        _ position: Int, of listener: AdminListener, _ accept: @escaping @Sendable (CInt) -> Void
    ) {
        let loop = running.withLock { $0.listener === listener ? $0.thread?.loop : nil }
        guard let loop else { return }
        let error = failures.takeLast()
        if failures.mayLog() {
            logger.error(
                "the admin API cannot accept clients at \(listener.addresses[position]); retrying every second",
                metadata: ["error": "\(error)"])
        }
        loop.scheduleTask(in: Self.pause) { [self] in
            guard running.withLock({ $0.listener === listener }) else { return }
            do {
                if let descriptor = try listener.reopened(position) { accept(descriptor) }
            } catch {
                failures.note("\(error)")
                reopen(position, of: listener, accept)
            }
        }
    }

    /// Stops listening. The socket's file is removed now, `closed` is called when the sockets are closed, and `done` when
    /// every client is closed too, perhaps on another thread.
    public func stop(closed: @escaping @Sendable () -> Void = {}, then done: @escaping @Sendable () -> Void) {
        let state = endListening()
        state.listener?.removeFile()
        close(state, .now, closed: closed, then: done)
    }

    /// Stops listening on sockets that another process serves. Keeps their file, and lets clients finish their requests for
    /// a moment. `done` is called then, perhaps on another thread. `own` is where that process reaches this one from now
    /// on; end records and events are kept for it.
    public func leave(serving own: AdminListener? = nil, then done: @escaping @Sendable () -> Void) {
        let old = endListening()
        close(old, .afterRequests(except: own), then: done)
        if let own, old.listener != nil { begin(own) }
    }

    /// Duplicates of the sockets for a successor process, with descriptors of at least `lowest`.
    public func copyListeners(from lowest: Int32) throws(SystemError) -> [HandedSocket] {
        guard let listener = running.withLock({ $0.listener }) else { return [] }
        do {
            return try listener.copies(from: lowest)
        } catch {
            throw SystemError("copy the admin API's sockets for another process", error)
        }
    }

    /// The process that handed the sockets over has ended. Returns the file of a Unix socket that this process owns now.
    public func ownFile() -> SocketFile? {
        let listener = running.withLock { $0.listener }
        listener?.ownFile()
        return listener?.file
    }

    private func endListening() -> Running {
        let state = running.withLock { running in
            defer {
                running.listener = nil
                running.channels = []
            }
            return running
        }
        state.listener?.closeCopies()
        state.responder?.sampler.stop()
        return state
    }

    private func close(
        _ state: Running, _ mode: Closing, closed: @escaping @Sendable () -> Void = {},
        then done: @escaping @Sendable () -> Void
    ) {
        guard let thread = state.thread, let listener = state.listener else {
            closed()
            return done()
        }
        let grace: TimeAmount
        let selection: ClientTable.Selection
        switch mode {
        case .now:
            services.journal.keep(false)
            grace = state.responder?.endStreams() ?? false ? Self.streamGrace : .zero
            selection = .all
        case .afterRequests(let own):
            if own == nil { services.journal.keep(false) }
            _ = state.responder?.endStreams()
            grace = Self.requestGrace
            selection = own.map { .except(ObjectIdentifier($0)) } ?? .all
        case .streamsStay:
            grace = Self.requestGrace
            selection = .withoutStream(of: ObjectIdentifier(listener))
        }
        let channels = state.channels
        thread.loop.execute { [self] in
            let closing = channels.map { channel in
                channel.close(promise: nil)
                return channel.closeFuture
            }
            EventLoopFuture.andAllComplete(closing, on: thread.loop).whenComplete { _ in
                closed()
                thread.loop.scheduleTask(in: grace) { [self] in
                    let table = running.withLock { $0.table }
                    table?.value.close(selection)
                    done()
                }
            }
        }
    }
}
