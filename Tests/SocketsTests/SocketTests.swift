import Glibc
import Sockets
import TestSupport
import Testing

@Suite struct SocketTests {
    /// A connection through a listening socket, the accepted end first.
    private func withConnection(
        _ body: (_ accepted: borrowing Socket, _ client: Peer) throws -> Void
    ) async throws {
        try await Exclusive.run {
            let listener = try Socket(family: AF_INET)
            try listener.bind(to: .ipv4(.loopback, port: 0), sharing: false)
            try listener.sendSmallMessagesAtOnce()
            try listener.receiveUrgentBytesInline()
            try listener.set(.standard)
            try listener.listen()
            guard let address = listener.localAddress else { throw TestFailure("no address") }
            let client = try Peer.connect(to: address)
            switch listener.accept() {
            case .client(let accepted, let from):
                #expect(from == client.address)
                try body(accepted, client)
            case .queueEmpty: Issue.record("no client waits")
            case .failed(let error): Issue.record("accept: \(error.name)")
            }
            guard case .queueEmpty = listener.accept() else { throw TestFailure("a client waits") }
        }
    }

    private func option(_ socket: borrowing Socket, _ level: CInt, _ name: CInt) -> CInt {
        var value: CInt = -1
        var length = socklen_t(4)
        getsockopt(socket.fd, level, name, &value, &length)
        return value
    }

    private func expect(_ option: CInt, _ wanted: CInt, location: SourceLocation = #_sourceLocation) {
        #expect(option == wanted, sourceLocation: location)
    }

    @Test func options_setOnTheListener_areTheAcceptedSocketsToo() async throws {
        try await withConnection { accepted, _ in
            let tcp = CInt(IPPROTO_TCP)
            expect(option(accepted, tcp, TCP_NODELAY), 1)
            expect(option(accepted, SOL_SOCKET, SO_OOBINLINE), 1)
            expect(option(accepted, SOL_SOCKET, SO_KEEPALIVE), 1)
            expect(option(accepted, tcp, TCP_KEEPIDLE), 60)
            expect(option(accepted, tcp, TCP_KEEPINTVL), 15)
            expect(option(accepted, tcp, TCP_KEEPCNT), 3)
            let (flags, status) = (fcntl(accepted.fd, F_GETFD), fcntl(accepted.fd, F_GETFL))
            #expect(flags == FD_CLOEXEC, "a child inherits no descriptor")
            #expect(status & O_NONBLOCK != 0)
        }
    }

    @Test func congestionControl_renoIsTakenAndNonsenseIsNot() async throws {
        try await withConnection { accepted, _ in
            try accepted.setCongestionControl("reno")
            var name = [CChar](repeating: 0, count: 16)
            var length = socklen_t(16)
            getsockopt(accepted.fd, CInt(IPPROTO_TCP), TCP_CONGESTION, &name, &length)
            #expect(name.starts(with: "reno".utf8.map { CChar($0) }))
            let socket = try Socket(family: AF_INET)
            #expect(throws: Errno(ENOENT)) { try socket.setCongestionControl("nonesuch") }
        }
    }

    @Test func socket_peerResets_errorIsTakenOnce() async throws {
        try await withConnection { accepted, client in
            let before = (accepted.takeError(), accepted.hasFailedOrEnded)
            #expect(before == (nil, false))
            client.resetNow()
            try Deadline.poll("the reset has come") { accepted.hasFailedOrEnded }
            let errors = (accepted.takeError(), accepted.takeError())
            #expect(errors == (Errno(ECONNRESET), nil))
        }
    }

    @Test func socket_duplicateClosed_leavesTheConnection() async throws {
        try await withConnection { accepted, client in
            var copy = try accepted.duplicate()
            let flags = fcntl(copy.fd, F_GETFD)
            #expect(flags == FD_CLOEXEC)
            copy.resetOnClose()
            copy.close()
            copy.close()
            let closed = copy.fd
            #expect(closed == -1)
            // The other descriptor of the same socket is still open, so nothing was reset.
            try client.send(Pattern(seed: 1), 0..<1)
        }
    }

    @Test func socket_info_hasNoUnacknowledgedSegments() async throws {
        try await withConnection { accepted, _ in
            let (stats, unsent) = (accepted.info, accepted.unsentBytes)
            let info = try #require(stats)
            #expect(info.retransmits == 0)
            #expect(info.probes == 0)
            #expect(unsent == 0)
            let names = (accepted.localAddress, accepted.peerAddress)
            #expect(names.0 != nil && names.1 != nil && names.0 != names.1)
        }
    }

    @Test func transfer_readWriteAndEnd_areDistinguished() async throws {
        try await withConnection { accepted, client in
            let buffer = ByteBuffer(capacity: 65536)
            expect(accepted.receive(into: buffer, limit: 10), .wouldBlock)
            try client.send(Pattern(seed: 1), 0..<100)
            try client.awaitSent()
            expect(accepted.receive(into: buffer, limit: 60), .moved(60))
            expect(accepted.receive(into: buffer, limit: 1 << 20), .moved(40))
            client.endWriting()
            try Deadline.poll("the end") { poll(accepted.fd) }
            expect(accepted.receive(into: buffer, limit: 10), .endOfStream)
            expect(accepted.send(buffer, from: 0, count: 40), .moved(40))
            while case .moved = accepted.send(buffer, from: 0, count: 65536) {}
            expect(accepted.send(buffer, from: 0, count: 65536), .wouldBlock)
            accepted.endWriting()
            expect(accepted.send(buffer, from: 0, count: 1), .failed(Errno(EPIPE)))
        }
    }

    /// `#expect` would copy the noncopyable socket.
    private func expect(_ transfer: Transfer, _ wanted: Transfer, location: SourceLocation = #_sourceLocation) {
        #expect(transfer == wanted, sourceLocation: location)
    }

    private func poll(_ fd: CInt) -> Bool {
        var entry = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        return Glibc.poll(&entry, 1, 0) == 1
    }

    // MARK: Binding and connecting

    @Test func bind_twice_isInUse() async throws {
        try await Exclusive.run {
            let first = try Socket(family: AF_INET)
            try first.bind(to: .ipv4(.loopback, port: 0), sharing: false)
            try first.listen()
            guard let address = first.localAddress else { throw TestFailure("no address") }
            #expect(throws: Errno(EADDRINUSE)) { try bind(address, sharing: false) }
            #expect(throws: Errno(EADDRINUSE), "the first does not share") { try bind(address, sharing: true) }
            try first.allowSharing()
            try bind(address, sharing: true)
            #expect(throws: Errno(EADDRINUSE)) { try bind(address, sharing: false) }
        }
    }

    private func bind(_ address: SocketAddress, sharing: Bool) throws(Errno) {
        try Socket(family: address.family).bind(to: address, sharing: sharing)
    }

    @Test func bind_everyIPv6Interface_leavesIPv4Alone() async throws {
        try await Exclusive.run {
            let six = try Socket(family: AF_INET6)
            do throws(Errno) {
                try six.bind(to: .ipv6(.any, port: 0), sharing: false)
            } catch {
                guard error.code == EAFNOSUPPORT || error.code == EADDRNOTAVAIL else { throw error }
                return
            }
            try six.listen()
            guard let port = six.localAddress?.port else { throw TestFailure("no port") }
            try bind(.ipv4(.loopback, port: port), sharing: false)
        }
    }

    private func connect(_ address: SocketAddress) throws -> Socket.ConnectOutcome {
        let socket = try Socket(family: address.family)
        return socket.connect(to: address)
    }

    @Test func connect_withoutAListener_isRefusedAtOnce() async throws {
        try await Exclusive.run {
            let outcome = try connect(PeerListener.refusingAddress())
            #expect(outcome == .failed(Errno(ECONNREFUSED)))
        }
    }

    @Test func connect_blackHole_isInProgress() async throws {
        try await Exclusive.run {
            let outcome = try connect(PeerListener.blackHole().address)
            #expect(outcome == .inProgress)
        }
    }

    @Test func connect_unixQueueFull_failsWithEAGAIN() async throws {
        try await TemporaryFolder.run { folder in
            try await Exclusive.run {
                let listener = try PeerListener(.unix(path: folder + "/full"), backlog: 0)
                _ = try Peer.connect(to: listener.address)
                let outcome = try connect(listener.address)
                #expect(outcome == .failed(Errno(EAGAIN)))
            }
        }
    }

    @Test func parcel_takenOnce_isEmptyThen() async throws {
        try await Exclusive.run {
            let parcel = SocketParcel(try Socket(family: AF_INET))
            let isThere = parcel.takeSocket() != nil
            let isThereAgain = parcel.takeSocket() != nil
            #expect(isThere)
            #expect(!isThereAgain)
            // Released without `take`: the descriptor must be closed, which the end of this test checks.
            _ = SocketParcel(try Socket(family: AF_INET))
        }
    }
}
