import Configuration
import Foundation
import Sockets
import TestSupport
import Testing

@testable import Relay

/// Addresses that move in one reload: between relays, and between a relay and another part of the process.
@Suite struct AddressExchangeTests {
    private static func relay(_ name: String, _ listen: ListenAddress, to upstream: PeerListener) -> RelaySettings {
        RelaySettings(name: name, listen: [listen], upstream: .address(upstream.address))
    }

    /// The upstream that a client of an address reaches.
    private func expect(_ address: SocketAddress, reaches listener: PeerListener) throws {
        let client = try Peer.connect(to: address)
        let upstream = try listener.accept()
        try client.send(upBytes, 0..<message)
        client.close()
        #expect(try upstream.receiveToEnd(upBytes) == .fin(message))
        upstream.close()
    }

    /// A free loopback address, and the wildcard address with the same port.
    private func free() throws -> (loopback: SocketAddress, wildcard: SocketAddress, port: UInt16) {
        let listener = try PeerListener(.ipv4(.any, port: 0))
        defer { listener.close() }
        let port = listener.address.port ?? 0
        return (.ipv4(.loopback, port: port), .ipv4(.any, port: port), port)
    }

    private func apply(_ relays: [RelaySettings], to relay: RelayHarness, _ generation: Int) throws {
        try relay.service.apply(Configuration(relays: relays), generation: generation, drain: .seconds(10))
    }

    /// One relay on every interface and one on loopback, which exchange their two ports.
    @Test func wildcardAndLoopback_exchangePorts() async throws {
        try await Exclusive.run {
            let (first, second) = (try PeerListener(), try PeerListener())
            let (a, b) = (try free(), try free())
            let relays = [
                Self.relay("wide", .address(a.wildcard), to: first),
                Self.relay("narrow", .address(b.loopback), to: second),
            ]
            try await RelayHarness.runAlone(relays, workers: 2) { relay in
                for generation in 2...9 {
                    let (wide, narrow) = generation % 2 == 0 ? (b, a) : (a, b)
                    try apply(
                        [
                            Self.relay("wide", .address(wide.wildcard), to: first),
                            Self.relay("narrow", .address(narrow.loopback), to: second),
                        ], to: relay, generation)
                    try expect(wide.loopback, reaches: first)
                    try expect(narrow.loopback, reaches: second)
                    #expect(relay.service.listeners.map(\.address) == [wide.wildcard, narrow.loopback])
                }
            }
        }
    }

    /// An address that another part of the process is about to release is bound while that part still listens, and is
    /// left to it if the change is abandoned.
    @Test func heldAddress_isBoundWhileItsHolderListens_orLeftToIt() async throws {
        try await Exclusive.run {
            let (upstream, holder) = (try PeerListener(), try SharedListener())
            let old = Self.relay("relay", .address(try free().loopback), to: upstream)
            let new = Self.relay("relay", .address(holder.address), to: upstream)
            try await RelayHarness.runAlone([old], workers: 2) { relay in
                let (before, after) = (Configuration(relays: [old]), Configuration(relays: [new]))
                let difference = ConfigurationDifference(from: before, to: after)
                let error = #expect(throws: SystemError.self) { _ = try relay.service.prepare(after, difference) }
                #expect(error?.errno.code == EADDRINUSE)

                let held = [HeldAddress(holder.address)]
                let change = try relay.service.prepare(after, difference, released: held)
                #expect(change.released.map(\.address) == old.listen.flatMap(\.socketAddresses))
                relay.service.abandon(change)
                #expect(relay.service.configuration.relays == before.relays)
                try expect(try relay.listener(), reaches: upstream)

                relay.service.commit(
                    try relay.service.prepare(after, difference, released: held), generation: 2, drain: .zero)
                holder.close()
                try expect(holder.address, reaches: upstream)
            }
        }
    }

    @Test(arguments: [false, true]) func heldPath_isTakenOver_orRestored(isWanted: Bool) async throws {
        try await TemporaryFolder.run { folder in
            try await Exclusive.run {
                let upstream = try PeerListener()
                let path = folder + "/one.sock"
                let holder = try Socket(family: AF_UNIX)
                let file = try SocketFile.bind(holder, path: path, mode: 0o600)
                try holder.listen()
                let old = Self.relay("relay", .address(try free().loopback), to: upstream)
                let new = Self.relay("relay", .unix(path: path, mode: 0o640), to: upstream)
                try await RelayHarness.runAlone([old], workers: 2) { relay in
                    let (before, after) = (Configuration(relays: [old]), Configuration(relays: [new]))
                    let difference = ConfigurationDifference(from: before, to: after)
                    let held = [HeldAddress(.unix(path: path), file: file)]
                    let change = try relay.service.prepare(after, difference, released: held)
                    guard isWanted else {
                        relay.service.abandon(change)
                        #expect(try names(in: folder) == ["one.sock"])
                        #expect(try mode(of: path) == 0o600)
                        // The file belongs to the holder again, which removes it.
                        file.remove()
                        #expect(try names(in: folder) == [])
                        return
                    }
                    relay.service.commit(change, generation: 2, drain: .zero)
                    #expect(try names(in: folder) == ["one.sock"])
                    #expect(try mode(of: path) == 0o640)
                    // The previous holder finds that the file is no longer its own.
                    file.remove()
                    try expect(.unix(path: path), reaches: upstream)
                }
                #expect(try names(in: folder) == [])
            }
        }
    }

    /// If a later listener of the same reload fails, the path leads to its holder again.
    @Test func heldPath_isRestored_whenALaterAddressIsInUse() async throws {
        try await TemporaryFolder.run { folder in
            try await Exclusive.run {
                let upstream = try PeerListener()
                let path = folder + "/one.sock"
                let holder = try Socket(family: AF_UNIX)
                let file = try SocketFile.bind(holder, path: path, mode: 0o600)
                try holder.listen()
                let old = Self.relay("relay", .address(try free().loopback), to: upstream)
                try await RelayHarness.runAlone([old], workers: 2) { relay in
                    let after = Configuration(relays: [
                        Self.relay("one", .unix(path: path, mode: 0o660), to: upstream),
                        Self.relay("two", .unix(path: folder + "/two.sock", mode: 0o660), to: upstream),
                        Self.relay("taken", .address(upstream.address), to: upstream),
                    ])
                    let difference = ConfigurationDifference(from: Configuration(relays: [old]), to: after)
                    let error = #expect(throws: SystemError.self) {
                        _ = try relay.service.prepare(
                            after, difference, released: [HeldAddress(.unix(path: path), file: file)])
                    }
                    #expect(error?.attempt == "listen on \(upstream.address) for relay taken")
                    #expect(try names(in: folder) == ["one.sock"])
                    let client = try Peer.connect(to: .unix(path: path))
                    guard case .client(_, _) = holder.accept() else {
                        Issue.record("the holder has no client")
                        return
                    }
                    client.close()
                }
                file.remove()
            }
        }
    }

    /// A failed start leaves no socket file of an earlier address.
    @Test func startThatFails_leavesNoSocketFile() async throws {
        try await TemporaryFolder.run { folder in
            try await Exclusive.run {
                let upstream = try PeerListener()
                let relays = [
                    Self.relay("one", .unix(path: folder + "/one.sock", mode: 0o660), to: upstream),
                    Self.relay("taken", .address(upstream.address), to: upstream),
                ]
                #expect(throws: SystemError.self) {
                    _ = try RelayService.start(
                        Configuration(relays: relays), observer: Observer(ended: { _ in }, stopped: {}),
                        logger: LogCapture().logger)
                }
                #expect(try names(in: folder) == [])
            }
        }
    }

    /// The socket is bound, and then no descriptor is left for the second worker's socket.
    @Test func listenerThatFailsAfterItsBind_leavesNoSocketFile() async throws {
        try await TemporaryFolder.run { folder in
            try await Exclusive.run {
                let path = folder + "/one.sock"
                let wasThere = Monitor(false)
                let binding = ListenerBinding(
                    workers: 2, system: .read(), logger: LogCapture().logger,
                    duplicate: { _ throws(Errno) in
                        wasThere.withLock { $0 = access(path, F_OK) == 0 }
                        throw Errno(EMFILE)
                    })
                let listen = ListenAddress.unix(path: path, mode: 0o660)
                let error = #expect(throws: SystemError.self) {
                    _ = try binding.bind(listen, only: listen.socketAddresses, for: "relay", released: [])
                }
                #expect(error?.errno.code == EMFILE)
                let isSeen = wasThere.withLock { $0 }
                #expect(isSeen)
                let left = try names(in: folder)
                #expect(left == [])
            }
        }
    }

    private func names(in folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    }

    private func mode(of path: String) throws -> mode_t {
        var facts = stat()
        guard lstat(path, &facts) == 0 else { throw TestFailure("\(path): \(Errno.current.name)") }
        return facts.st_mode & 0o777
    }
}

/// A listener of another part of this process, whose address may be shared.
private final class SharedListener {
    let address: SocketAddress
    private var socket: Socket

    init() throws {
        socket = try Socket(family: AF_INET)
        try socket.bind(to: .ipv4(.loopback, port: 0), sharing: false)
        try socket.allowSharing()
        try socket.listen()
        guard let address = socket.localAddress else { throw TestFailure("a listener without an address") }
        self.address = address
    }

    func close() {
        socket.close()
    }
}
