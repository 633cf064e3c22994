internal import Configuration
internal import EventLoop
internal import Logging
internal import Sockets

/// Finds the destination of a client that the system's rules have redirected to the listener. It never waits.
final class OriginalDestination: Stage {
    var side: Side { .client }
    var wait: LiveConnection.Wait { .connect }
    var deadline: StageDeadline? { nil }

    func run(on leg: Leg, _ context: StageContext) -> StageOutcome {
        let paths = context.shared.interceptedPaths
        let destination: SocketAddress
        do throws(Errno) {
            destination = try leg.originalDestination()
        } catch {
            context.interception = Interception(to: nil, paths)
            return refuse(.unknown, context, error)
        }
        let interception = Interception(to: destination, paths)
        context.interception = interception
        if destination == leg.localAddress { return refuse(.notRedirected, context) }
        if interception.isOwn(context.clientAddress, context.now) { return refuse(.ownTraffic, context) }
        // Before `allow`: a listener of Tapline is never a destination, whatever the configuration says.
        if context.shared.isOwnListener(destination) { return refuse(.ownListener, context) }
        if context.relay.interception?.allows(destination) == false { return refuse(.notAllowed, context) }
        context.destination = context.destination.decided(destination)
        return .done
    }

    private func refuse(_ refusal: DestinationRefusal, _ context: StageContext, _ errno: Errno? = nil) -> StageOutcome {
        context.refusal = refusal
        let destination = context.interception?.destination
        var metadata: Logger.Metadata = [
            "connection": "\(context.id)", "relay": "\(context.relay.name)", "client": "\(context.clientAddress)",
        ]
        metadata["destination"] = destination.map { "\($0)" }
        metadata["error"] = errno.map { "\($0.name)" }
        metadata["why"] = "\(refusal)"
        context.logger.debug("destination refused", metadata: metadata)
        if refusal == .ownTraffic { context.warnOfOwnTraffic() }
        return .end(
            .unreachable(
                DialFailure(
                    reason: refusal == .ownTraffic ? .loop : .destinationRefused, errno: errno, address: destination)))
    }
}
