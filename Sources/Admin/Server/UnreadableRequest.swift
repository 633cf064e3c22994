internal import HTTPTypes
internal import NIOCore
internal import NIOHTTPTypes

/// Gives the answer to an unparsable request the form of every other error. Hummingbird answers it with 400 and no body,
/// which distinguishes it from our errors.
///
/// Confined to the server's loop.
final class UnreadableRequest: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .head(var head) = unwrapOutboundIn(data), head.status == .badRequest,
            head.headerFields[.contentLength] == "0"
        else { return context.write(data, promise: promise) }
        let answer = Answer.error(.unreadable(AdminServer.mostHeaderBytes))
        guard case .whole(let bytes) = answer.content else { return context.write(data, promise: promise) }
        for field in answer.headers { head.headerFields[field.name] = field.value }
        head.headerFields[.contentLength] = "\(bytes.count)"
        context.write(wrapOutboundOut(.head(head)), promise: promise)
        context.write(wrapOutboundOut(.body(NIOCore.ByteBuffer(bytes: bytes))), promise: nil)
    }
}
