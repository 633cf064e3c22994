import EventLoop
import Glibc
import Sockets
import TestSupport
import Testing

@testable import Relay

/// The effect of a failing accept(2) and a refusing epoll_ctl(2) on a listener and on its worker's connections.
@Suite struct AcceptFailureTests {
    private static func errors(_ worker: OneWorker) -> [String] {
        worker.log.all.filter { $0.hasPrefix("error ") }
    }

    /// Another process that has the socket too may shut it down: from then on accept fails with EINVAL at once.
    @Test func listenerIsShutDown_itPauses_reportsOnce_andAcceptsAgainWhenItCan() async throws {
        try await LoopHarness.run { harness in
            let listener = try PeerListener()
            let port = try #require(listener.address.port)
            try OneWorker.run(port: port, harness) { worker in
                let first = try worker.clients(1)[0]
                try worker.lookup(1).answer(.success([.ipv4(.loopback, port: 0)]))
                let upstream = try worker.accept(listener)
                try #require(shutdown(worker.listenerCopy.fd, CInt(SHUT_RD)) == 0)
                try worker.turn(until: "the failure is reported") { !Self.errors(worker).isEmpty }
                let start = Deadline.now
                // Each of these turns ends with the harness's timer, because nothing else is ready.
                for _ in 0..<20 { harness.loop.turn(wait: true) }
                let stats = try worker.stats()
                let seconds = (Deadline.now - start) / 1_000_000_000
                #expect(stats.acceptErrors >= 1 && stats.acceptErrors <= 2 + seconds, "tried once a second")
                #expect(stats.acceptPauses == 1)
                #expect(Self.errors(worker).count == 1)
                #expect(
                    Self.errors(worker)[0].contains("a listener cannot accept clients; retrying every second")
                )
                #expect(Self.errors(worker)[0].contains("(EINVAL)"))

                // The open connection continues, and so does the listener once the socket listens again.
                try first.send(upBytes, 0..<message)
                try worker.result(of: Background("upstream") { try upstream.receive(upBytes, 0..<message) })
                // Linux has released the port, which it had chosen itself.
                try #require(worker.address.withSockaddr { bind(worker.listenerCopy.fd, $0, $1) } == 0)
                try #require(listen(worker.listenerCopy.fd, 16) == 0)
                try worker.turn(until: "it accepts again") { worker.log.contains("a listener accepts clients again") }
                let second = try worker.clients(1)[0]
                try worker.finish(second, worker.accept(listener))
                try worker.finish(first, upstream)
                #expect(Self.errors(worker).count == 1)
            }
        }
    }

    @Test(arguments: [
        (ECONNABORTED, AcceptError.ofOneClient), (EPROTO, .ofOneClient), (ENETDOWN, .ofOneClient),
        (EHOSTUNREACH, .ofOneClient), (EMFILE, .ofResources), (ENFILE, .ofResources), (ENOBUFS, .ofResources),
        (ENOMEM, .ofResources), (EINVAL, .ofListener), (EBADF, .ofListener), (ENOTSOCK, .ofListener),
        (EPERM, .ofListener), (EFAULT, .ofListener), (12345, .ofListener),
    ])
    func error_isOfOneClient_ofResources_orOfTheListener(code: CInt, expected: AcceptError) {
        #expect(AcceptError(Errno(code)) == expected)
    }

    /// If the user's watches are used up (ENOSPC), or the kernel has no memory for one (ENOMEM), that client is reset
    /// and the others continue.
    @Test(arguments: [ENOSPC, ENOMEM])
    func epollRefusesANewSocket_onlyThatConnectionEnds(code: CInt) async throws {
        try await LoopHarness.run { harness in
            let listener = try PeerListener()
            let port = try #require(listener.address.port)
            try OneWorker.run(port: port, harness) { worker in
                let first = try worker.clients(1)[0]
                try worker.lookup(1).answer(.success([.ipv4(.loopback, port: 0)]))
                let upstream = try worker.accept(listener)
                while try worker.live().upstream == nil { harness.loop.turn(wait: true) }

                harness.loop.refuseWatches(with: code)
                let refused = try Peer.connect(to: worker.address)
                let record = try #require(try worker.ended().last)
                #expect(record.end?.reason == .internalError)
                #expect(record.end?.errno == Errno(code))
                let ending = try worker.result(of: Background("refused") { try refused.receiveToEnd(downBytes) })
                #expect(ending == .reset(0))
                #expect(worker.log.contains("epoll refused to watch a socket", "(\(Errno(code).name))"))
                let itsUpstream = try worker.accept(listener)
                #expect(try itsUpstream.receiveToEnd(upBytes) == .reset(0))

                try first.send(upBytes, 0..<message)
                try worker.result(of: Background("upstream") { try upstream.receive(upBytes, 0..<message) })
                harness.loop.refuseWatches(with: nil)
                let next = try worker.clients(1)[0]
                try worker.finish(next, worker.accept(listener))
                try worker.finish(first, upstream)
            }
        }
    }

    /// Changing a watch needs no memory. If the kernel refuses it anyway, that connection is reset instead of hanging.
    @Test func epollRefusesAChange_onlyThatConnectionEnds() async throws {
        try await LoopHarness.run { harness in
            let listener = try PeerListener()
            let port = try #require(listener.address.port)
            try OneWorker.run(port: port, sendBuffer: 4 << 10, harness) { worker in
                let quiet = try worker.clients(1)[0]
                try worker.lookup(1).answer(.success([.ipv4(.loopback, port: 0)]))
                let quietUpstream = try worker.accept(listener)
                let client = try Peer.connect(to: worker.address, receiveBuffer: 4 << 10)
                let upstream = try worker.accept(listener)
                try worker.turn(until: "both are open") { worker.shared.openConnections == 2 }
                for _ in 0..<5 { harness.loop.turn(wait: false) }

                // The client does not read: its socket has to be watched for room.
                harness.loop.refuseWatches(with: ENOMEM, changes: true)
                try worker.result(of: Background("answer") { try upstream.send(downBytes, 0..<(64 << 10)) })
                let record = try #require(try worker.ended().last)
                #expect(record.end?.reason == .internalError)
                #expect(record.end?.errno == Errno(ENOMEM))
                #expect(worker.shared.openConnections == 1)
                try quiet.send(upBytes, 0..<message)
                try worker.result(of: Background("upstream") { try quietUpstream.receive(upBytes, 0..<message) })
                harness.loop.refuseWatches(with: nil)
                client.close()
                try worker.finish(quiet, quietUpstream)
            }
        }
    }
}
