internal import EventLoop
internal import Logging
internal import Sockets

/// What all dialers of a loop share. It outlives them; on the loop's thread.
final class DialerResources {
    let loop: EventLoop
    let names: NameCache
    /// The process's descriptors: every attempt after a dialer's first takes one.
    let descriptors: Budget
    let system: SystemFacts
    private let logger: Logger

    init(loop: EventLoop, names: NameCache, descriptors: Budget, system: SystemFacts, logger: Logger) {
        self.loop = loop
        self.names = names
        self.descriptors = descriptors
        self.system = system
        self.logger = logger
    }

    /// Sets what an upstream's socket needs before its connect: only what differs from the system's defaults. Keepalive
    /// follows when the connection has lived for a while.
    func prepare(_ socket: borrowing Socket, for address: SocketAddress) {
        guard !address.isUnix else { return }
        do {
            try socket.sendSmallMessagesAtOnce()
            try socket.receiveUrgentBytesInline()
            if address.isLoopback, let name = system.loopbackCongestionControl {
                try socket.setCongestionControl(name)
            }
        } catch {
            logger.debug("a socket option was refused by the system", metadata: ["error": "\(error.name)"])
        }
    }
}
