internal import NIOCore
internal import NIOHTTP1

/// Takes whom a request is meant for from its target, where that is a whole URL: then `Host` does not count (RFC 9112,
/// section 3.2.2). It stands where a request is still as it was sent, for what comes after drops that part of it.
///
/// Confined to the server's loop.
final class TargetAuthority: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(var head) = unwrapInboundIn(data), let authority = Self.find(in: head.uri) else {
            return context.fireChannelRead(data)
        }
        // Two of them are a mistake with a target of either form.
        if head.headers["Host"].count <= 1 { head.headers.replaceOrAdd(name: "Host", value: authority) }
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    /// The authority of an `http` or `https` URL; nil where the target is a path.
    static func find(in target: String) -> String? {
        for scheme in ["http://", "https://"] where target.prefix(scheme.count).lowercased() == scheme {
            return String(target.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" && $0 != "#" })
        }
        return nil
    }
}
