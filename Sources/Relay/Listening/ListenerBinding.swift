internal import Configuration
internal import Glibc
internal import Logging
internal import Sockets

/// One bound address: sockets for each worker, not yet watched by a loop. Sockets that are not taken close with it.
struct BoundAddress: Sendable {
    /// The process that bound it.
    enum Source: Hashable, Sendable {
        /// This process.
        case own
        /// A previous tapline, which this one replaces.
        case tapline
        /// The service manager, which also has it open: clients in the queue when Tapline ends are served by its
        /// successor.
        case manager
    }

    /// The bound address, with the actual port in place of port 0.
    let address: SocketAddress
    /// The sockets of each worker: one, or more if another process bound them for more workers.
    let sockets: [[SocketParcel]]
    /// The file of a Unix listener, removed at the end if it is still this listener's; nil for an abstract name.
    let file: SocketFile?
    /// The file of the listener that had its path before, until the change is in force or abandoned.
    var replaced: SocketFile.SetAside?
    /// The process that bound it.
    var source = Source.own
    /// Bound to every interface of IPv6, and for IPv4 clients too.
    var servesBothFamilies = false
}

/// Binds listeners by the rules of the design: first one socket of an address alone, so that an address in use is found
/// even if it is another Tapline's; then those of the other workers.
struct ListenerBinding {
    let workers: Int
    let system: SystemFacts
    let logger: Logger
    /// Makes another descriptor of a bound Unix socket.
    var duplicate: @Sendable (borrowing Socket) throws(Errno) -> Socket = { socket throws(Errno) in
        try socket.duplicate()
    }

    /// How many free ports are tried to find one that all addresses of a relay can have.
    private static let portAttempts = 16

    /// Binds some of a listener's addresses, or throws an error that a person can act on and leaves nothing bound. An
    /// address that overlaps one of `released`, which this process is about to close, is bound in addition to it.
    func bind(
        _ listen: ListenAddress, only addresses: [SocketAddress], for relay: String, released: [HeldAddress]
    ) throws(SystemError) -> [BoundAddress] {
        if case .unix(let path, let mode) = listen { return [try bindUnix(path, mode, relay, released)] }
        // IPv4 may be bound already.
        let maySpareIPv6 = listen.socketAddresses.count > 1
        for attempt in 1... {
            do {
                return try bindFamilies(addresses, relay, released, maySpareIPv6: maySpareIPv6)
            } catch {
                // A free port of one family may be in use in the other.
                let wantsFreePort = addresses.count > 1 && addresses[0].port == 0
                guard wantsFreePort, error.errno.code == EADDRINUSE, attempt < Self.portAttempts else { throw error }
            }
        }
        return []
    }

    /// Binds one port in both families. IPv6 is omitted if the system does not have it and IPv4 is bound.
    private func bindFamilies(
        _ addresses: [SocketAddress], _ relay: String, _ released: [HeldAddress], maySpareIPv6: Bool
    ) throws(SystemError) -> [BoundAddress] {
        var bound: [BoundAddress] = []
        for address in addresses {
            let port = bound.first?.address.port ?? address.port ?? 0
            let wanted = address.with(port: port)
            do {
                bound.append(try bind(wanted, relay, sharing: released.contains { $0.address.overlaps(wanted) }))
            } catch {
                guard maySpareIPv6, address.family == AF_INET6,
                    [EAFNOSUPPORT, EADDRNOTAVAIL].contains(error.errno.code)
                else { throw error }
                // If IPv4 was bound before, this was logged then.
                guard addresses.count > 1 else { continue }
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
            var sockets = [[SocketParcel(first)]]
            for _ in 1..<max(1, workers) { sockets.append([SocketParcel(try bindAdditional(actual))]) }
            return BoundAddress(address: actual, sockets: sockets, file: nil)
        } catch {
            throw Self.explain(error, address, relay)
        }
    }

    /// Another socket of an address that this process has bound and may share.
    private func bindAdditional(_ address: SocketAddress) throws(Errno) -> Socket {
        let additional = try Socket(family: address.family)
        try additional.bind(to: address, sharing: true)
        try prepare(additional, address)
        try additional.listen()
        return additional
    }

    /// Serves the sockets that another process has bound. Every one of them has a worker, or its clients would never be
    /// accepted: with fewer workers than sockets, some get more than one; with more workers, the others get additional
    /// sockets, or copies of these if none can be bound (Unix sockets, and those of the service manager).
    func inherit(_ handed: HandedAddress, for relay: String) throws(SystemError) -> BoundAddress {
        do throws(Errno) {
            var sockets = [[SocketParcel]](repeating: [], count: max(1, workers))
            for (index, parcel) in handed.sockets.enumerated() {
                for worker in sockets.indices where handed.isOfManager || index % sockets.count == worker {
                    guard let socket = handed.isOfManager ? try parcel.duplicate() : parcel.takeSocket() else {
                        continue
                    }
                    if !handed.address.isUnix { try prepare(socket, handed.address) }
                    sockets[worker].append(SocketParcel(socket))
                }
            }
            for worker in sockets.indices where sockets[worker].isEmpty {
                guard let one = sockets[worker % handed.sockets.count].first else { continue }
                if let socket = bindAdditional(one, handed) {
                    sockets[worker].append(SocketParcel(socket))
                } else if let socket = try one.duplicate() {
                    sockets[worker].append(SocketParcel(socket))
                }
            }
            return BoundAddress(
                address: handed.address, sockets: sockets, file: handed.file,
                source: handed.isOfManager ? .manager : .tapline,
                servesBothFamilies: handed.servesBothFamilies)
        } catch {
            throw Self.explain(error, handed.address, relay)
        }
    }

    /// An additional socket for a handed-over address; nil if the address has only one queue.
    private func bindAdditional(_ one: SocketParcel, _ handed: HandedAddress) -> Socket? {
        guard !handed.address.isUnix, !handed.servesBothFamilies, one.allowsSharing else { return nil }
        // An address that cannot be shared, e.g. because another user bound it, has one queue for all workers.
        return try? bindAdditional(handed.address)
    }

    /// Sets the options on the listener that accepted sockets inherit without a call.
    private func prepare(_ socket: borrowing Socket, _ address: SocketAddress) throws(Errno) {
        try socket.sendSmallMessagesAtOnce()
        try socket.receiveUrgentBytesInline()
        try socket.set(.standard)
        if address.isLoopback, let name = system.loopbackCongestionControl {
            try socket.setCongestionControl(name)
        }
    }

    private func bindUnix(
        _ path: String, _ mode: UInt16, _ relay: String, _ released: [HeldAddress]
    ) throws(SystemError) -> BoundAddress {
        let address = SocketAddress.unix(path: path)
        do throws(Errno) {
            let first = try Socket(family: AF_UNIX)
            let (file, replaced) = try SocketFile.bind(first, path: path, mode: mode, released: released)
            do throws(Errno) {
                try first.listen()
                // One queue for all workers: a Unix address has only one.
                var sockets: [[SocketParcel]] = []
                for _ in 1..<max(1, workers) { sockets.append([SocketParcel(try duplicate(first))]) }
                sockets.append([SocketParcel(first)])
                return BoundAddress(address: address, sockets: sockets, file: file, replaced: replaced)
            } catch {
                file?.remove()
                replaced?.restore()
                throw error
            }
        } catch {
            throw Self.explain(error, address, relay)
        }
    }

    /// Explains a refusal, with what to do.
    static func explain(_ error: Errno, _ address: SocketAddress, _ relay: String) -> SystemError {
        SystemError(listeningOn: address, for: "relay \(relay)", subject: .listener(address, relay: relay), error)
    }

    // MARK: Sockets that no relay listens on

    /// Logs inherited sockets that no relay listens on, or refuses them.
    func checkUnwanted(_ unwanted: [HandedAddress], isSuccessor: Bool) throws(UnwantedSockets) {
        let kept = unwanted.filter(\.isOfManager)
        guard kept.isEmpty || isSuccessor else { throw UnwantedSockets(sockets: kept.map(\.description)) }
        for address in kept { warnOfUnserved(address.address) }
        for address in unwanted where !address.isOfManager {
            logger.notice("no relay listens on \(address.address) any more: closed")
        }
    }

    /// Logs that the service manager still listens on an address that no relay uses.
    func warnOfUnserved(_ address: SocketAddress) {
        logger.warning(
            """
            no relay listens on \(address) any more, but the service manager does: clients will wait there until its \
            socket unit is stopped or a relay uses the address again
            """)
    }
}
