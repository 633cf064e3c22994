internal import Configuration
internal import Glibc
internal import Logging
internal import Sockets

/// One address, bound: a socket for each worker, not watched yet by anybody's loop. Whoever drops it untaken closes them.
struct BoundAddress: Sendable {
    /// As bound: port 0 has become the port it got.
    let address: SocketAddress
    /// One for each worker.
    let sockets: [SocketParcel]
    /// The file of a Unix listener, to be removed at the end if it is still ours.
    let file: SocketFile?
}

/// Binds listeners by the rules of the design: the first socket of an address alone, so that an address in use is
/// found even when it is another Tapline's; the other workers' beside it.
struct ListenerBinding {
    let workers: Int
    let system: SystemFacts
    let logger: Logger

    /// How often a free port is sought that every address of a relay can have.
    private static let portAttempts = 16

    /// Binds some of a listener's addresses, or throws what a person can act on and leaves nothing bound. An address
    /// that overlaps one of `going`, which are ours and about to be closed, is bound beside it.
    func bind(
        _ listen: ListenAddress, only addresses: [SocketAddress], for relay: String, beside going: [SocketAddress]
    ) throws(SystemError) -> [BoundAddress] {
        if case .unix(let path, let mode) = listen { return [try bindUnix(path, mode, relay)] }
        for attempt in 1... {
            do {
                return try bindFamilies(addresses, relay, going)
            } catch {
                // A free port of one family may be taken in the other.
                let wantsFreePort = addresses.count > 1 && addresses[0].port == 0
                guard wantsFreePort, error.errno.code == EADDRINUSE, attempt < Self.portAttempts else { throw error }
            }
        }
        return []
    }

    /// Binds one port in both families. IPv6 is left out where the system does not have it and IPv4 is there.
    private func bindFamilies(
        _ addresses: [SocketAddress], _ relay: String, _ going: [SocketAddress]
    ) throws(SystemError) -> [BoundAddress] {
        var bound: [BoundAddress] = []
        for address in addresses {
            let port = bound.first?.address.port ?? address.port ?? 0
            let wanted = address.with(port: port)
            do {
                bound.append(try bind(wanted, relay, sharing: going.contains { $0.overlaps(wanted) }))
            } catch {
                guard addresses.count > 1, address.family == AF_INET6,
                    [EAFNOSUPPORT, EADDRNOTAVAIL].contains(error.errno.code)
                else { throw error }
                logger.notice(
                    "no IPv6 on this system; listening on IPv4 only",
                    metadata: ["relay": "\(relay)", "listener": "\(wanted)"])
            }
        }
        return bound
    }

    private func bind(_ address: SocketAddress, _ relay: String, sharing: Bool) throws(SystemError) -> BoundAddress {
        do {
            let first = try Socket(family: address.family)
            try first.bind(to: address, sharing: sharing)
            let actual = first.localAddress ?? address
            try first.allowSharing()
            try prepare(first, actual)
            try first.listen()
            var parcels = [SocketParcel(first)]
            for _ in 1..<max(1, workers) {
                let further = try Socket(family: address.family)
                try further.bind(to: actual, sharing: true)
                try prepare(further, actual)
                try further.listen()
                parcels.append(SocketParcel(further))
            }
            return BoundAddress(address: actual, sockets: parcels, file: nil)
        } catch {
            throw Self.explain(error, address, relay)
        }
    }

    /// Sets on the listener what every accepted socket then has without a call.
    private func prepare(_ socket: borrowing Socket, _ address: SocketAddress) throws(Errno) {
        try socket.sendSmallMessagesAtOnce()
        try socket.receiveUrgentBytesInline()
        try socket.set(.standard)
        if address.isLoopback, let name = system.loopbackCongestionControl {
            try socket.setCongestionControl(name)
        }
    }

    private func bindUnix(_ path: String, _ mode: UInt16, _ relay: String) throws(SystemError) -> BoundAddress {
        let address = SocketAddress.unix(path: path)
        do {
            let first = try Socket(family: AF_UNIX)
            let file = try SocketFile.bind(first, path: path, mode: mode)
            try first.listen()
            // One queue for all workers: a Unix address has only one.
            var parcels: [SocketParcel] = []
            for _ in 1..<max(1, workers) { parcels.append(SocketParcel(try first.duplicate())) }
            parcels.append(SocketParcel(first))
            return BoundAddress(address: address, sockets: parcels, file: file)
        } catch {
            throw Self.explain(error, address, relay)
        }
    }

    /// Says what to do about a refusal.
    static func explain(_ error: Errno, _ address: SocketAddress, _ relay: String) -> SystemError {
        SystemError(listeningOn: address, for: "relay \(relay)", error)
    }
}
