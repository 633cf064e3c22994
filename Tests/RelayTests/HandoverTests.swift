import Configuration
import Glibc
import Sockets
import TestSupport
import Testing

@testable import Relay

/// Listening sockets that one service has bound and another serves.
@Suite struct HandoverTests {
    private func settings(_ relays: [RelaySettings], workers: Int) -> Configuration {
        Configuration(workers: .exactly(workers), relays: relays)
    }

    private func start(
        _ configuration: Configuration, _ handed: [HandedSocket] = [], isSuccessor: Bool = true,
        _ log: LogCapture = LogCapture()
    ) throws -> RelayService {
        try RelayService.start(
            configuration, observer: Observer(ended: { _ in }, stopped: {}), logger: log.logger, handedOver: handed,
            isSuccessor: isSuccessor)
    }

    private func end(_ services: RelayService...) throws {
        for service in services {
            service.stop()
            try Background("join") { service.join() }.value()
        }
    }

    /// Connects often enough to find a socket that no worker accepts from, and waits until all clients are served.
    private func connectMany(_ address: SocketAddress, _ upstream: PeerListener) throws {
        var clients: [Peer] = []
        for _ in 0..<64 { clients.append(try Peer.connect(to: address)) }
        for _ in clients { try upstream.accept().close() }
        for client in clients {
            #expect(try client.receiveToEnd(downBytes) == .fin(0))
            client.close()
        }
    }

    /// Every socket is served: of four, by one worker; of one, by four; and each is passed on once.
    @Test(arguments: [(4, 1), (1, 4), (3, 3), (2, 3), (3, 2)])
    func everySocket_isServed_whateverTheNumberOfWorkers(before: Int, after: Int) async throws {
        try await Exclusive.run {
            let upstream = try PeerListener()
            let relay = RelaySettings(
                name: "relay", listen: [.address(.ipv4(.loopback, port: 0))], upstream: .address(upstream.address))
            let old = try start(settings([relay], workers: before))
            let address = old.listeners[0].address
            let handed = try await old.copyListeners(from: 100)
            #expect(handed.count == before)
            #expect(handed.allSatisfy { $0.address == address && ($0.parcel.descriptor ?? 0) >= 100 })
            let new = try start(settings([relay], workers: after), handed)
            // A free port is the one that this relay had before.
            #expect(new.listeners == old.listeners)
            old.leave(within: .seconds(5))
            try Background("join") { old.join() }.value()
            try connectMany(address, upstream)
            // In this order: the sockets that were passed on, and those that were bound in addition.
            #expect(try await new.copyListeners(from: 100).count == max(before, after))
            // The copies are numbered above the descriptors of all sockets; with too few, the next upgrade fails.
            #expect(new.mostListeningSockets >= max(before, after))
            try end(new)
            upstream.close()
        }
    }

    /// Clients in the queue that neither process has accepted are served by the new one.
    @Test func clientsThatWait_areServedByTheNewOne() async throws {
        try await Exclusive.run {
            let upstream = try PeerListener()
            var relay = RelaySettings(
                name: "relay", listen: [.address(.ipv4(.loopback, port: 0))], upstream: .address(upstream.address),
                maxConnections: 1)
            let old = try start(settings([relay], workers: 1))
            let first = try Peer.connect(to: old.listeners[0].address)
            let firstUpstream = try upstream.accept()
            let waiting = try Peer.connect(to: old.listeners[0].address)
            try waiting.send(upBytes, 0..<message)
            relay.maxConnections = 100
            let new = try start(settings([relay], workers: 1), try await old.copyListeners(from: 100))
            let waitingUpstream = try upstream.accept()
            try waitingUpstream.receive(upBytes, 0..<message)
            old.leave(within: .seconds(60))
            // Open connections stay in the old process.
            try first.send(upBytes, 0..<message)
            try firstUpstream.receive(upBytes, 0..<message)
            for peer in [first, firstUpstream, waiting, waitingUpstream] { peer.close() }
            try Background("join") { old.join() }.value()
            try end(new)
            upstream.close()
        }
    }

    /// The file of a Unix socket is passed on too, and its last owner removes it.
    @Test func socketFile_belongsToTheNewOne_onceItIsNotified() async throws {
        try await Exclusive.run {
            try await TemporaryFolder.run { folder in
                let upstream = try PeerListener()
                let path = "\(folder)/front.sock"
                let relay = RelaySettings(
                    name: "relay", listen: [.unix(path: path, mode: 0o600)], upstream: .address(upstream.address))
                let old = try start(settings([relay], workers: 2))
                let handed = try await old.copyListeners(from: 100)
                // One queue, whatever the number of workers.
                #expect(handed.count == 1 && handed[0].file?.path == path)

                // A process that fails before it owns the file leaves the file alone.
                let failing = try start(settings([relay], workers: 3), try await old.copyListeners(from: 100))
                try end(failing)
                #expect(access(path, F_OK) == 0)

                let new = try start(settings([relay], workers: 3), handed)
                old.leave(within: .seconds(5))
                new.ownHandedFiles()
                try Background("join") { old.join() }.value()
                #expect(access(path, F_OK) == 0)
                try connectMany(.unix(path: path), upstream)
                try end(new)
                #expect(access(path, F_OK) != 0)
                upstream.close()
            }
        }
    }

    /// A new address may overlap one that the old process is about to close: both are bound, as in a reload.
    @Test func addressThatOverlapsOneThatGoes_isBoundWhileItListens() async throws {
        try await Exclusive.run {
            let upstream = try PeerListener()
            let port = try #require(PeerListener.freePort().port)
            let relay = { (listen: ListenAddress) in
                RelaySettings(name: "relay", listen: [listen], upstream: .address(upstream.address))
            }
            let old = try start(settings([relay(.everyInterface(port: port))], workers: 2))
            let narrow = SocketAddress.ipv4(.loopback, port: port)
            let new = try start(settings([relay(.address(narrow))], workers: 2), try await old.copyListeners(from: 100))
            old.leave(within: .seconds(5))
            try Background("join") { old.join() }.value()
            try connectMany(narrow, upstream)
            try end(new)
            upstream.close()
        }
    }

    /// The files get the modes of the new configuration as soon as they belong to the new process.
    @Test func socketFile_getsTheModeOfTheNewConfiguration() async throws {
        try await Exclusive.run {
            try await TemporaryFolder.run { folder in
                let path = "\(folder)/front.sock"
                let relay = { (mode: UInt16) in
                    RelaySettings(
                        name: "relay", listen: [.unix(path: path, mode: mode)],
                        upstream: .address(.ipv4(.loopback, port: 9)))
                }
                let mode = {
                    var facts = stat()
                    return stat(path, &facts) == 0 ? facts.st_mode & 0o777 : 0
                }
                let old = try start(settings([relay(0o600)], workers: 1))
                let new = try start(settings([relay(0o666)], workers: 1), try await old.copyListeners(from: 100))
                #expect(mode() == 0o600)
                old.leave(within: .seconds(5))
                new.ownHandedFiles()
                #expect(mode() == 0o666)
                try Background("join") { old.join() }.value()
                try end(new)
            }
        }
    }

    /// Ways to end.
    enum Ending: CaseIterable {
        case drained, stopped, replaced
    }

    /// A client in the queue of the service manager's socket when the service ends is still there for the next one: it
    /// is not accepted, and the socket is not shut down.
    @Test(arguments: Ending.allCases) func managersQueue_isLeftAlone_atTheEnd(_ ending: Ending) async throws {
        try await Exclusive.run {
            let upstream = try PeerListener()
            let manager = try PeerListener()
            let relay = RelaySettings(
                name: "relay", listen: [.address(manager.address)], upstream: .address(upstream.address))
            let activated = {
                let socket = try Socket.inheriting(dup(manager.fd))
                let handed = HandedSocket(socket, descriptor: 3, label: "relay", origin: .manager)
                return try self.start(
                    self.settings([relay], workers: 1), [try #require(handed)], isSuccessor: false)
            }
            let first = try activated()
            // Its worker is blocked, so that it ends before it can see the client.
            let (isHeld, mayGoOn) = (Monitor(false), Monitor(false))
            first.state.post(
                .list { _ in
                    isHeld.withLock { $0 = true }
                    _ = mayGoOn.waitIfInTime(within: Deadline.usual) { $0 ? true : nil }
                })
            _ = try isHeld.wait(for: "the worker is held up") { $0 ? true : nil }
            switch ending {
            case .drained: first.drain(within: .seconds(20))
            case .stopped: first.stop()
            case .replaced: first.leave(within: .seconds(20))
            }
            let client = try Peer.connect(to: manager.address)
            try client.send(upBytes, 0..<message)
            mayGoOn.withLock { $0 = true }
            try Background("join") { first.join() }.value()

            #expect(manager.isAwaited)
            #expect(!upstream.isAwaited)
            let second = try activated()
            let served = try upstream.accept()
            try served.receive(upBytes, 0..<message)
            try served.send(downBytes, 0..<message)
            try client.receive(downBytes, 0..<message)
            for peer in [client, served] { peer.close() }
            try end(second)
            for listener in [manager, upstream] { listener.close() }
        }
    }

    /// An address that the new configuration does not have is closed, and its file is removed.
    @Test func addressThatIsNotWanted_isClosed() async throws {
        try await Exclusive.run {
            try await TemporaryFolder.run { folder in
                let upstream = try PeerListener()
                let relay = { (name: String, listen: ListenAddress) in
                    RelaySettings(name: name, listen: [listen], upstream: .address(upstream.address))
                }
                let gone = relay("gone", .unix(path: "\(folder)/gone.sock", mode: 0o600))
                let kept = relay("kept", .address(.ipv4(.loopback, port: 0)))
                let old = try start(settings([gone, kept], workers: 1))
                let log = LogCapture()
                let new = try start(settings([kept], workers: 1), try await old.copyListeners(from: 100), log)
                #expect(
                    log.all.contains { $0.contains("no relay listens on unix:\(folder)/gone.sock any more: closed") })
                old.leave(within: .seconds(5))
                new.ownHandedFiles()
                try Background("join") { old.join() }.value()
                #expect(access("\(folder)/gone.sock", F_OK) != 0)
                try connectMany(new.listeners[0].address, upstream)
                try end(new)
                upstream.close()
            }
        }
    }

    /// A socket of the service manager that no relay uses is an error, unless a reload could have caused it.
    @Test func managersSocket_thatNoRelayUses_isRefused() async throws {
        try await Exclusive.run {
            let upstream = try PeerListener()
            let stray = try PeerListener()
            let descriptor = dup(stray.fd)
            let relay = RelaySettings(
                name: "relay", listen: [.address(.ipv4(.loopback, port: 0))], upstream: .address(upstream.address))
            let handed = try #require(
                HandedSocket(try Socket.inheriting(descriptor), descriptor: 3, label: "some.socket", origin: .manager))
            let configuration = settings([relay], workers: 1)
            let error = #expect(throws: UnwantedSockets.self) {
                try start(configuration, [handed], isSuccessor: false)
            }
            #expect(error?.description.contains("descriptor 3 (`some.socket`, \(stray.address)), and no relay") == true)
            let log = LogCapture()
            let successor = try start(configuration, [handed], log)
            #expect(log.all.contains { $0.contains("no relay listens on \(stray.address) any more, but the service") })
            // It is still passed on to the next process.
            #expect(try await successor.copyListeners(from: 100).contains { $0.origin == .manager })
            try end(successor)
            _ = handed.parcel.takeSocket()
            stray.close()
            upstream.close()
        }
    }
}
