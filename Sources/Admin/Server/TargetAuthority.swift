internal import NIOCore
internal import NIOHTTP1

/// Replaces `Host` with the authority of a request's target, if that is an absolute URL (RFC 9112, section 3.2.2). Placed
/// before the layers that drop this part of the target.
///
/// Confined to the server's loop.
final class TargetAuthority: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(var head) = unwrapInboundIn(data), let authority = Self.find(in: head.uri) else {
            return context.fireChannelRead(data)
        }
        // A repeated `Host` is an error with either form of the target.
        if head.headers["Host"].count <= 1 { head.headers.replaceOrAdd(name: "Host", value: authority) }
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    /// The authority of an `http` or `https` URL; nil if the target is a path.
    static func find(in target: String) -> String? {
        for scheme in ["http://", "https://"] where target.prefix(scheme.count).lowercased() == scheme {
            return String(target.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" && $0 != "#" })
        }
        return nil
    }
}
