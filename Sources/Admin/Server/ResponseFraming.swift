internal import NIOCore
internal import NIOHTTP1

/// Gives each response the form that its request needs: no body for HEAD, no chunks and an end of the connection for
/// HTTP/1.0 (RFC 9112, sections 6.1, 6.3 and 9.3). The layers above know neither the version of a request nor HEAD: they
/// answer HEAD as they answer GET, and this handler leaves the body out.
///
/// It stands directly behind the request decoder, where requests still have their version. Confined to the server's loop.
final class ResponseFraming: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// A request whose response has not ended.
    private struct Exchange {
        let isHead: Bool
        let isVersion10: Bool
        /// Whether the connection ends with the response.
        var endsConnection: Bool
        var hasLength = false
    }

    /// In the order of the requests: a client may send several before the first response (pipelining).
    private var exchanges: [Exchange] = []

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(var head) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
        let isVersion10 = head.version.major < 1 || head.version == .http1_0
        exchanges.append(
            Exchange(isHead: head.method == .HEAD, isVersion10: isVersion10, endsConnection: !head.isKeepAlive))
        // HTTP/1.0 has no Host. Only a browser can be led here by a foreign name, and browsers always send one.
        if isVersion10, !head.headers.contains(name: "Host") { head.headers.add(name: "Host", value: "localhost") }
        // The layers above compare the field with this one word.
        if !head.isKeepAlive { head.headers.replaceOrAdd(name: "Connection", value: "close") }
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        // Without a request the response refuses what could not be read as one.
        guard let exchange = exchanges.first else { return context.write(data, promise: promise) }
        switch unwrapOutboundIn(data) {
        case .head(let head) where head.status.code < 200:
            // HTTP/1.0 has none.
            let part = exchange.isVersion10 ? Self.nothing : .head(head)
            context.write(wrapOutboundOut(part), promise: promise)
        case .head(var head):
            exchanges[0].hasLength = head.headers.contains(name: "Content-Length")
            if exchange.isVersion10 {
                head.version = .http1_0
                if !exchanges[0].hasLength, !exchange.isHead { exchanges[0].endsConnection = true }
            }
            if exchanges[0].endsConnection {
                head.headers.replaceOrAdd(name: "Connection", value: "close")
            } else if exchange.isVersion10 {
                head.headers.replaceOrAdd(name: "Connection", value: "keep-alive")
            }
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body:
            context.write(exchange.isHead ? wrapOutboundOut(Self.nothing) : data, promise: promise)
        case .end:
            exchanges.removeFirst()
            // The encoder would end the chunks that a response to HEAD announces and does not have.
            let isWithoutEnd = exchange.isHead && !exchange.hasLength
            context.write(isWithoutEnd ? wrapOutboundOut(Self.nothing) : data, promise: promise)
            if exchange.endsConnection {
                context.flush()
                context.close(mode: .output, promise: nil)
            }
        }
    }

    /// No bytes; it keeps the order of promises.
    private static let nothing = HTTPServerResponsePart.body(.byteBuffer(NIOCore.ByteBuffer()))
}
