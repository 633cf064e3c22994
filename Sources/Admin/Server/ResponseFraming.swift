internal import NIOCore
internal import NIOHTTP1

/// Frames each response for its request: no body for HEAD, no chunks and an end of the connection for HTTP/1.0 (RFC 9112,
/// sections 6.1, 6.3 and 9.3). The layers above do not see a request's version and answer HEAD like GET; this handler
/// drops the body.
///
/// Placed directly after the request decoder, where requests still have their version. Confined to the server's loop.
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
        // HTTP/1.0 has no Host. It protects browsers from foreign names, and browsers always send it.
        if isVersion10, !head.headers.contains(name: "Host") { head.headers.add(name: "Host", value: "localhost") }
        // The layers above compare the field with this word.
        if !head.isKeepAlive { head.headers.replaceOrAdd(name: "Connection", value: "close") }
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        // Without a request, the response is the refusal of an unparsable one.
        guard let exchange = exchanges.first else { return context.write(data, promise: promise) }
        switch unwrapOutboundIn(data) {
        case .head(let head) where head.status.code < 200:
            // HTTP/1.0 has no informational responses.
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
            // The encoder would write the last chunk of a body that a response to HEAD does not have.
            let isWithoutEnd = exchange.isHead && !exchange.hasLength
            context.write(isWithoutEnd ? wrapOutboundOut(Self.nothing) : data, promise: promise)
            if exchange.endsConnection {
                context.flush()
                context.close(mode: .output, promise: nil)
            }
        }
    }

    /// An empty part, which keeps the order of promises.
    private static let nothing = HTTPServerResponsePart.body(.byteBuffer(NIOCore.ByteBuffer()))
}
