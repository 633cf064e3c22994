internal import Configuration
internal import EventLoop
internal import Glibc
internal import Logging
internal import Sockets

/// Finds the destination of a client that the system's rules have redirected to the listener. It never waits.
final class OriginalDestination: Stage {
    var side: Side { .client }
    var waitsFor: LiveConnection.Wait { .connect }
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
            "connection": .stringConvertible(context.id), "relay": "\(context.relay.name)",
            "client": "\(context.clientAddress)",
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

    // MARK: The configuration

    /// Checks that the system lets this process mark its sockets (`interception.mark`), before any part of a configuration
    /// is in force: without its mark a connection would be redirected back, or refused.
    static func checkMarks(_ relays: [RelaySettings]) throws(SystemError) {
        for relay in relays {
            guard let mark = relay.interception?.mark else { continue }
            do throws(Errno) {
                // Any socket has a mark; AF_UNIX is always available.
                try Socket(family: AF_UNIX).set(mark: mark)
            } catch {
                throw SystemError(
                    "mark the upstream sockets of relay \(relay.name) (interception.mark)", error,
                    advice: error.code == EPERM
                        ? "that requires CAP_NET_ADMIN (under systemd AmbientCapabilities=CAP_NET_ADMIN); or remove the mark, "
                            + "and let the rules exclude this process's user (meta skuid)" : nil)
            }
        }
    }
}
