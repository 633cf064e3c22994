internal import Configuration
internal import EventLoop
internal import Logging
internal import Sockets

/// Clients that rules of the system have redirected to the listener. On the worker's thread, and only for relays with
/// `upstream: original-destination`.
extension Connection {
    /// Asks the system where the client wanted to go, and whether it may. False: it may not, and the connection is over.
    func findDestination(_ settings: InterceptionSettings) -> Bool {
        let paths = worker.shared.interceptedPaths
        let destination: SocketAddress
        do throws(Errno) {
            destination = try clientSocket.originalDestination()
        } catch {
            interception = Interception(to: nil, paths)
            return refuse(.unknown, error)
        }
        let interception = Interception(to: destination, paths)
        self.interception = interception
        if destination == clientSocket.localAddress { return refuse(.notRedirected) }
        if interception.isOwn(clientAddress, worker.loop.now) { return refuse(.ownTraffic) }
        // Before what is allowed: a listener is nobody's destination, whatever the configuration says.
        if worker.shared.isOwnListener(destination) { return refuse(.ownListener) }
        if !settings.allows(destination) { return refuse(.notAllowed) }
        return true
    }

    private func refuse(_ refusal: DestinationRefusal, _ errno: Errno? = nil) -> Bool {
        interception?.refusal = refusal
        let destination = interception?.destination
        var metadata: Logger.Metadata = ["connection": "\(id)", "relay": "\(relay.name)", "client": "\(clientAddress)"]
        metadata["destination"] = destination.map { "\($0)" }
        metadata["error"] = errno.map { "\($0.name)" }
        metadata["why"] = "\(refusal)"
        worker.logger.debug("destination refused", metadata: metadata)
        if refusal == .ownTraffic { warnOfOwnTraffic() }
        connectFailed(
            DialFailure(
                reason: refusal == .ownTraffic ? .loop : .destinationRefused, errno: errno, address: destination))
        return false
    }

    /// Says, once in a while, that what Tapline opens comes back to it.
    func warnOfOwnTraffic() {
        guard worker.shared.interceptedPaths.mayTell(EventLoop.nanoseconds) else { return }
        var metadata: Logger.Metadata = ["connection": "\(id)", "relay": "\(relay.name)", "client": "\(clientAddress)"]
        metadata["destination"] = interception?.destination.map { "\($0)" }
        worker.logger.warning(
            "rules redirect Tapline's own connections back to it; leave out its mark (interception.mark) or its user",
            metadata: metadata)
    }
}
