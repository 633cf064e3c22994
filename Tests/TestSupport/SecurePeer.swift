internal import Glibc
internal import Sockets
public import TLS

/// A peer that speaks TLS, or plain TCP if it has no session. One thread at a time.
public final class SecurePeer {
    /// How the other end ended its half.
    public enum Ending: Hashable, Sendable {
        /// With close_notify.
        case inOrder
        /// With a FIN; for a session that means without close_notify.
        case fin
        /// By a reset.
        case reset
        /// By a failure of the session, such as an alert.
        case failed(TLSFailure)
    }

    /// What one attempt to read has found.
    private enum Found {
        case bytes(Int), nothing, ended(Ending)
    }

    /// The socket.
    public let peer: Peer
    /// The session; nil for plain TCP.
    public let session: TLSSession?
    private let buffer = ByteBuffer(capacity: 64 << 10)

    private init(_ peer: Peer, _ session: TLSSession?) {
        self.peer = peer
        self.session = session
    }

    /// A peer without TLS.
    public convenience init(plain peer: Peer) { self.init(peer, nil) }

    /// A server over an accepted connection; its handshake is not made yet.
    public convenience init(server peer: Peer, _ context: TLSServerContext) throws {
        guard let session = TLSSession(context, fd: peer.fd) else { throw TestFailure("no session") }
        self.init(peer, session)
    }

    /// A client over a connection; its handshake is not made yet.
    public convenience init(client peer: Peer, _ context: TLSClientContext, name: String = "localhost") throws {
        guard let session = TLSSession(context, to: name, isAddress: false, peer: "test", fd: peer.fd) else {
            throw TestFailure("no session")
        }
        self.init(peer, session)
    }

    // MARK: Handshakes

    /// Takes a step of the handshake; nil while it is in progress. A plain peer has none.
    private func step() -> TLSSession.Step? {
        guard let session, !session.isEstablished else { return .done }
        let step = session.handshake()
        return step == .wantsRead || step == .wantsWrite ? nil : step
    }

    /// Makes the handshake and returns its last step.
    public func shakeHands() throws -> TLSSession.Step {
        let deadline = Deadline()
        while true {
            if let step = step() { return step }
            try peer.await(POLLIN, "the next message of a handshake", deadline)
        }
    }

    /// Makes the handshake, which must succeed.
    public func establish() throws {
        let step = try shakeHands()
        guard step == .done else { throw TestFailure("no handshake: \(step)") }
    }

    // MARK: Bytes

    /// Sends bytes.
    public func send(_ bytes: [UInt8]) throws {
        guard let session else { return try peer.send(bytes) }
        let deadline = Deadline()
        var rest = bytes[...]
        while !rest.isEmpty {
            switch session.write(rest) {
            case .moved(let count): rest = rest.dropFirst(count)
            case .wouldBlock: try peer.await(POLLOUT, "room for \(rest.count) bytes", deadline)
            case let other: throw TestFailure("send: \(other)")
            }
        }
    }

    /// Sends what there is room for, and returns its number.
    private func sendSome(_ bytes: ArraySlice<UInt8>) throws -> Int {
        if let session {
            switch session.write(bytes) {
            case .moved(let count): return count
            case .wouldBlock: return 0
            case let other: throw TestFailure("send: \(other)")
            }
        }
        let sent = bytes.withUnsafeBytes { Glibc.send(peer.fd, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
        guard sent >= 0 || errno == EAGAIN else { throw TestFailure("send: \(Errno.current.name)") }
        return max(0, sent)
    }

    private func find(_ bytes: inout [UInt8]) throws -> Found {
        let found: Found
        if let session {
            switch session.read(into: buffer, limit: buffer.capacity) {
            case .moved(let count): found = .bytes(count)
            case .wouldBlock: found = .nothing
            case .endOfStream: found = .ended(session.end == .inOrder ? .inOrder : .fin)
            case .failed(let error):
                found = .ended(session.failure.map { .failed($0) } ?? (error.code == ECONNRESET ? .reset : .fin))
            }
        } else {
            var piece = [UInt8](repeating: 0, count: buffer.capacity)
            let count = recv(peer.fd, &piece, piece.count, 0)
            if count > 0 {
                bytes += piece.prefix(count)
                return .bytes(count)
            }
            guard count < 0 else { return .ended(.fin) }
            guard errno == EAGAIN || errno == ECONNRESET else { throw TestFailure("receive: \(Errno.current.name)") }
            return errno == EAGAIN ? .nothing : .ended(.reset)
        }
        if case .bytes(let count) = found { buffer.append(count: count, to: &bytes) }
        return found
    }

    /// Reads exactly a number of bytes.
    public func receive(count: Int) throws -> [UInt8] {
        let deadline = Deadline()
        var bytes: [UInt8] = []
        while bytes.count < count {
            switch try find(&bytes) {
            case .bytes: break
            case .nothing: try peer.await(POLLIN, "byte \(bytes.count) of \(count)", deadline)
            case .ended(let ending): throw TestFailure("\(ending) at byte \(bytes.count) of \(count)")
            }
        }
        return bytes
    }

    /// Waits until something has come, and leaves it unread.
    public func awaitUnread() throws {
        try peer.await(POLLIN, "bytes that are not read", Deadline())
    }

    /// The same, and closes: the system then resets.
    public func closeUnread() throws {
        try awaitUnread()
        peer.close()
    }

    /// Acknowledges what was read, at once. The system does not while something is unread.
    public func acknowledge() {
        var value: CInt = 1
        setsockopt(peer.fd, CInt(IPPROTO_TCP), TCP_QUICKACK, &value, socklen_t(MemoryLayout<CInt>.size))
    }

    /// Reads everything until the other end ends its half.
    public func receiveToEnd() throws -> (bytes: [UInt8], ending: Ending) {
        let deadline = Deadline()
        var bytes: [UInt8] = []
        while true {
            switch try find(&bytes) {
            case .bytes: break
            case .nothing: try peer.await(POLLIN, "the end, after byte \(bytes.count)", deadline)
            case .ended(let ending): return (bytes, ending)
            }
        }
    }

    /// Sends bytes both ways between two peers at the same time, and returns what each has received.
    public static func exchange(
        _ first: SecurePeer, _ up: [UInt8], _ second: SecurePeer, _ down: [UInt8]
    ) throws -> (up: [UInt8], down: [UInt8]) {
        let deadline = Deadline(in: .seconds(60))
        var (unsentUp, unsentDown) = (up[...], down[...])
        var received: (up: [UInt8], down: [UInt8]) = ([], [])
        while received.up.count < up.count || received.down.count < down.count {
            var moved = 0
            if !unsentUp.isEmpty {
                let sent = try first.sendSome(unsentUp)
                unsentUp = unsentUp.dropFirst(sent)
                moved += sent
            }
            if !unsentDown.isEmpty {
                let sent = try second.sendSome(unsentDown)
                unsentDown = unsentDown.dropFirst(sent)
                moved += sent
            }
            if case .bytes(let count) = try second.find(&received.up) { moved += count }
            if case .bytes(let count) = try first.find(&received.down) { moved += count }
            guard moved == 0 else { continue }
            if deadline.isOver {
                throw TestFailure(
                    "\(received.up.count) of \(up.count) up, \(received.down.count) of \(down.count) down")
            }
            Deadline.letPass(.milliseconds(1))
        }
        return received
    }

    /// Ends this end's half: close_notify and FIN.
    public func endWriting() throws {
        let deadline = Deadline()
        while let session, !session.endWriting() { try peer.await(POLLOUT, "room for close_notify", deadline) }
        peer.endWriting()
    }
}
