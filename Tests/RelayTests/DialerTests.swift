import Configuration
import EventLoop
import Foundation
import Sockets
import TestSupport
import Testing

@testable import Relay

/// A name with several addresses: each is tried 250 ms after the previous one, or as soon as that has failed (RFC
/// 8305).
@Suite struct DialerTests {
    /// 127.0.0.`last`, another loopback address.
    private static func loopback(_ last: Int, _ port: UInt16 = 0) -> SocketAddress {
        .ipv4(IPv4Address(bits: 0x7F00_0000 | UInt32(last)), port: port)
    }

    /// The number of the process's sockets. Files are not counted, because other tests open and close them.
    private static func sockets() -> Int {
        let (files, folder) = (FileManager.default, "/proc/self/fd")
        let names = (try? files.contentsOfDirectory(atPath: folder)) ?? []
        return names.count { name in
            (try? files.destinationOfSymbolicLink(atPath: "\(folder)/\(name)"))?.hasPrefix("socket:") == true
        }
    }

    /// A black hole at an address: its queue is full, and no client is accepted.
    private static func blackHole(_ address: SocketAddress) throws {
        let hole = try PeerListener(address, backlog: 0)
        _ = try Peer.connect(to: hole.address)
    }

    @Test func firstIsABlackHole_theSecondIsTriedInParallelAndWins() async throws {
        try await LoopHarness.run { harness in
            let listener = try PeerListener(Self.loopback(3))
            let port = try #require(listener.address.port)
            try Self.blackHole(Self.loopback(2, port))
            try OneWorker.run(port: port, harness) { worker in
                let before = Self.sockets()
                let client = try worker.clients(1)[0]
                try worker.lookup(1).answer(.success([Self.loopback(2), Self.loopback(3)]))
                let upstream = try worker.accept(listener)
                // Both ends of the client's connection and of the upstream's; the loser's socket is closed.
                try worker.turn(until: "the loser's socket is closed") { Self.sockets() == before + 4 }
                #expect(worker.shared.descriptors.left == 64 - 2)
                let record = try worker.finish(client, upstream)
                #expect(record.upstreamAddress == listener.address)
                // The timer counts from the start of a turn.
                #expect((record.connectDuration ?? 0) >= 200_000_000)
            }
        }
    }

    @Test func firstIsRefused_theSecondIsTriedAtOnce() async throws {
        try await LoopHarness.run { harness in
            let listener = try PeerListener(Self.loopback(3))
            let port = try #require(listener.address.port)
            try OneWorker.run(port: port, harness) { worker in
                let client = try worker.clients(1)[0]
                try worker.lookup(1).answer(.success([Self.loopback(2), Self.loopback(3)]))
                let record = try worker.finish(client, worker.accept(listener))
                #expect(record.upstreamAddress == listener.address)
            }
        }
    }

    /// 224.0.0.1 is a multicast address, to which a stream cannot be connected (RFC 1112).
    @Test func firstIsRefusedAndTheSecondUnreachable_theRefusalIsReported() async throws {
        try await LoopHarness.run { harness in
            let port = try #require(try PeerListener.refusingAddress().port)
            try OneWorker.run(port: port, harness) { worker in
                let client = try worker.clients(1)[0]
                let group = SocketAddress.ipv4(IPv4Address(bits: 0xE000_0001), port: 0)
                try worker.lookup(1).answer(.success([Self.loopback(1), group]))
                let record = try #require(try worker.ended(1).first)
                #expect(record.summary == .init(.connectRefused, up: 0, down: 0, errno: "ECONNREFUSED"))
                #expect(record.upstreamAddress == Self.loopback(1, port))
                #expect(try client.receiveToEnd(downBytes) == .reset(0))
            }
        }
    }

    /// With few descriptors there are fewer attempts, and the budget is never exceeded.
    @Test(arguments: [(64, 4), (4, 3), (2, 1)])
    func manyDeadAddresses_aFewAreTriedAtOnce(descriptors: Int, attempts: Int) async throws {
        try await LoopHarness.run { harness in
            let port = try #require(try PeerListener.freePort().port)
            let dead = 2..<14
            for last in dead { try Self.blackHole(Self.loopback(last, port)) }
            let timeouts = Timeouts(connect: .seconds(600))
            try OneWorker.run(port: port, descriptors: descriptors, timeouts: timeouts, harness) { worker in
                let client = try worker.clients(1)[0]
                let before = Self.sockets()
                var most = 0
                var least = descriptors
                func look() {
                    most = max(most, Self.sockets() - before)
                    least = min(least, worker.shared.descriptors.left)
                }
                try worker.lookup(1).answer(.success(dead.map { Self.loopback($0) }))
                try worker.turn(until: "all the attempts that may be") {
                    look()
                    return most >= attempts
                }
                // Long enough for two more attempts.
                let end = Deadline(in: .milliseconds(600))
                try worker.turn(until: "more attempts would have begun") {
                    look()
                    return end.isOver
                }
                #expect(most == attempts)
                #expect(least == descriptors - 1 - attempts)
                #expect(worker.endedCount == 0)
                worker.letPass(602_000)
                try worker.ended(1)
                #expect(worker.shared.descriptors.left == descriptors)
                #expect(Self.sockets() == before - 1, "only the test's own end of the client is left")
                #expect(try worker.ended(1).first?.end?.reason == .connectTimeout)
                #expect(try client.receiveToEnd(downBytes) == .reset(0))
            }
        }
    }

    /// The attempts' descriptors are also released when the client leaves.
    @Test func clientResetsWhileSeveralAreTried_allAreGivenUp() async throws {
        try await LoopHarness.run { harness in
            let port = try #require(try PeerListener.freePort().port)
            for last in 2..<5 { try Self.blackHole(Self.loopback(last, port)) }
            try OneWorker.run(port: port, harness) { worker in
                let before = Self.sockets()
                let client = try worker.clients(1)[0]
                try worker.lookup(1).answer(.success((2..<5).map { Self.loopback($0) }))
                try worker.turn(until: "three attempts") { worker.shared.descriptors.left == 64 - 4 }
                client.resetNow()
                #expect(try worker.ended(1).first?.end?.reason == .clientReset)
                #expect(worker.shared.descriptors.left == 64)
                #expect(Self.sockets() == before)
            }
        }
    }

    /// A dialer without a connection, as a health check would use it.
    private final class Caller: DialerDelegate {
        var isConnected = false
        var failure: DialFailure?
        var vetoed: SocketAddress?
        var prepared: [SocketAddress] = []

        func refusal(of address: SocketAddress) -> DialFailure? {
            address == vetoed ? DialFailure(reason: .loop, errno: nil, address: address) : nil
        }
        func prepare(_ socket: borrowing Socket, for address: SocketAddress) -> DialFailure? {
            prepared.append(address)
            return nil
        }
        func refusal(of socket: borrowing Socket, connectingTo address: SocketAddress) -> DialFailure? { nil }
        func connected(_ socket: consuming Socket, to address: SocketAddress, failed error: Errno?) {
            isConnected = true
        }
        func connectFailed(_ failure: DialFailure) { self.failure = failure }
    }

    @Test func dialerOfAnotherCaller_connectsToANamesAddress_andRespectsTheVeto() async throws {
        try await LoopHarness.run { harness in
            let listener = try PeerListener()
            let port = try #require(listener.address.port)
            var completion: ((NameCache.Answer) -> Void)?
            let names = NameCache(loop: harness.loop, logger: LogCapture().logger) { _, _, done in
                completion = done
                return { completion = nil }
            }
            let resources = DialerResources(
                loop: harness.loop, names: names, descriptors: Budget(8) {}, system: .read(),
                logger: LogCapture().logger)
            let caller = Caller()
            caller.vetoed = Self.loopback(9, port)
            let destination = Destination(.name("checked.test", port: port))
            let dialer = Dialer(to: destination, resources: resources, delegate: caller)
            dialer.start()
            #expect(dialer.isWaitingForName)
            completion?(.success([Self.loopback(9), Self.loopback(1)]))
            try harness.turn(until: "connected") { caller.isConnected }
            #expect(caller.prepared == [listener.address], "no socket is opened for a vetoed address")
            #expect(caller.failure == nil && dialer.lastTried == listener.address)

            caller.vetoed = listener.address
            let vetoed = Dialer(to: Destination(.address(listener.address)), resources: resources, delegate: caller)
            vetoed.start()
            #expect(caller.failure?.reason == .loop)
            names.close()
        }
    }
}
