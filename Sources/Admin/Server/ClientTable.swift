internal import HTTPTypes
internal import NIOCore
internal import NIOHTTPTypes

/// The clients of the admin server, with a limit of their number and of the time that each may take.
///
/// Confined to the server's loop.
final class ClientTable {
    /// The largest number at once. Each uses a descriptor of the relay's reserve.
    let most: Int
    private var clients: [ObjectIdentifier: ClientWatch] = [:]
    private var sweep: RepeatedTask?

    init(most: Int) {
        self.most = most
    }

    /// Adds a client. Above the limit, the client with the lowest eviction rank is disconnected, or the new one if none has
    /// a rank.
    func add(_ client: ClientWatch, on loop: any NIOCore.EventLoop) {
        clients[ObjectIdentifier(client)] = client
        if clients.count > most {
            let candidates = clients.values.compactMap { other in
                other === client ? nil : other.clock.evictionRank.map { (client: other, rank: $0) }
            }
            let evicted = candidates.min { $0.rank < $1.rank }?.client ?? client
            // Removed at once: closing takes until the loop's next turn, and other clients may be added before.
            clients[ObjectIdentifier(evicted)] = nil
            evicted.close()
        }
        guard sweep == nil else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        sweep = loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            bound.value.closeLate(at: NIODeadline.now().uptimeNanoseconds)
        }
    }

    /// Removes a client.
    func remove(_ client: ClientWatch) {
        clients[ObjectIdentifier(client)] = nil
        guard clients.isEmpty else { return }
        sweep?.cancel()
        sweep = nil
    }

    private func closeLate(at now: UInt64) {
        for client in clients.values where client.clock.isOver(at: now) { client.close() }
    }

    /// The clients to close.
    enum Selection {
        case all
        /// Those of a listener that have no stream.
        case withoutStream(of: ObjectIdentifier)
        /// Those of every listener but one.
        case except(ObjectIdentifier)
    }

    /// Closes clients.
    func close(_ selection: Selection) {
        for client in clients.values where Self.includes(selection, client) { client.close() }
    }

    private static func includes(_ selection: Selection, _ client: ClientWatch) -> Bool {
        switch selection {
        case .all: true
        case .withoutStream(let group): client.group == group && client.clock.phase != .streaming
        case .except(let group): client.group != group
        }
    }
}

/// Enforces one client's time limits. Confined to the server's loop.
final class ClientWatch: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private(set) var clock = ClientClock(at: NIODeadline.now().uptimeNanoseconds)
    /// The listener that accepted it.
    let group: ObjectIdentifier
    private let table: ClientTable
    private var context: ChannelHandlerContext?

    init(_ table: ClientTable, group: ObjectIdentifier) {
        self.table = table
        self.group = group
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        table.add(self, on: context.eventLoop)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        table.remove(self)
    }

    /// Closes the client's connection.
    func close() {
        context?.close(promise: nil)
    }

    private func note(_ event: ClientClock.Event) {
        clock.handle(event, at: NIODeadline.now().uptimeNanoseconds)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: note(.head)
        case .body: break
        case .end: note(.endOfRequest)
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        // `100 Continue` is not the answer.
        case .head(let head) where head.status.kind == .informational: break
        case .head(let head): note(Answer.isStream(head.headerFields) ? .streamBegan : .answerBegan)
        case .body: break
        case .end: note(.answerEnded)
        }
        context.write(data, promise: promise)
        if clock.hasLeft { close() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed {
            note(.inputClosed)
            if clock.hasLeft { close() }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        note(context.channel.isWritable ? .unblocked : .blocked)
        context.fireChannelWritabilityChanged()
    }
}
