internal import HTTPTypes
internal import NIOCore
internal import NIOHTTPTypes

/// The clients of the admin server: how many there are at once, and how long each may take.
///
/// Confined to the server's loop.
final class ClientTable {
    /// How many may be there at once. Each costs a descriptor of those that the relay keeps back.
    let most: Int
    private var clients: [ObjectIdentifier: ClientWatch] = [:]
    private var sweep: RepeatedTask?

    init(most: Int) {
        self.most = most
    }

    /// A client has come. When all places are taken, the one whose turn is first goes; where all are busy, the new one.
    func enter(_ client: ClientWatch, on loop: any NIOCore.EventLoop) {
        clients[ObjectIdentifier(client)] = client
        if clients.count > most {
            let turns = clients.values.compactMap { other in
                other === client ? nil : other.clock.turn.map { (client: other, turn: $0) }
            }
            let leaving = turns.min { $0.turn < $1.turn }?.client ?? client
            // At once: closing takes a turn of the loop, and others may enter in this one.
            clients[ObjectIdentifier(leaving)] = nil
            leaving.close()
        }
        guard sweep == nil else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        sweep = loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            bound.value.closeLate(at: NIODeadline.now().uptimeNanoseconds)
        }
    }

    /// A client has gone.
    func leave(_ client: ClientWatch) {
        clients[ObjectIdentifier(client)] = nil
        guard clients.isEmpty else { return }
        sweep?.cancel()
        sweep = nil
    }

    private func closeLate(at now: UInt64) {
        for client in clients.values where client.clock.isOver(at: now) { client.close() }
    }

    /// Closes every client; or, of the listener `group`, those that follow no stream.
    func close(_ group: ObjectIdentifier? = nil) {
        for client in clients.values {
            if let group, client.group != group || client.clock.phase == .streaming { continue }
            client.close()
        }
    }
}

/// Watches one client's time. Confined to the server's loop.
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
        table.enter(self, on: context.eventLoop)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        table.leave(self)
    }

    /// Closes the client's connection at once.
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
        // `100 Continue` is no answer yet.
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
