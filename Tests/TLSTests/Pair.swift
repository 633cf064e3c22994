import Glibc
import Sockets
import TestSupport

@testable import TLS

/// A client's and a server's session over a pair of Unix sockets. Neither end ever blocks.
final class Pair {
    let server: TLSSession
    let client: TLSSession
    private(set) var serverFD: CInt
    private(set) var clientFD: CInt
    let buffer = ByteBuffer(capacity: 256 << 10)

    init(_ server: TLSServerContext, _ client: TLSClientContext, name: String = "localhost", isAddress: Bool = false)
        throws
    {
        var ends: [CInt] = [-1, -1]
        let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw TestFailure("no socket pair") }
        (serverFD, clientFD) = (ends[0], ends[1])
        guard let server = TLSSession(server, fd: ends[0]),
            let client = TLSSession(client, to: name, isAddress: isAddress, peer: "test", fd: ends[1])
        else { throw TestFailure("no session") }
        self.server = server
        self.client = client
    }

    deinit {
        for fd in [serverFD, clientFD] where fd >= 0 { Glibc.close(fd) }
    }

    /// Takes turns until both handshakes have ended; their last steps.
    func shakeHands() throws -> (server: TLSSession.Step, client: TLSSession.Step) {
        var steps: (server: TLSSession.Step, client: TLSSession.Step) = (.wantsRead, .wantsRead)
        for _ in 0..<20 {
            if Self.continues(steps.client) { steps.client = client.handshake() }
            if Self.continues(steps.server) { steps.server = server.handshake() }
            if !Self.continues(steps.client), !Self.continues(steps.server) { return steps }
            // A failed end sends nothing more.
            if case .refused = steps.client, case .wantsRead = steps.server { endWriting(of: clientFD) }
            if case .refused = steps.server, case .wantsRead = steps.client { endWriting(of: serverFD) }
        }
        throw TestFailure("the handshake does not end: \(steps)")
    }

    /// Shakes hands, which must succeed on both sides.
    func establish() throws {
        let steps = try shakeHands()
        guard steps == (.done, .done) else { throw TestFailure("no handshake: \(steps)") }
    }

    private static func continues(_ step: TLSSession.Step) -> Bool { step == .wantsRead || step == .wantsWrite }

    /// A FIN without close_notify.
    func endWriting(of fd: CInt) { shutdown(fd, CInt(SHUT_WR)) }

    /// Closes the server's socket: by a reset if it holds unread bytes.
    func closeServer() {
        Glibc.close(serverFD)
        serverFD = -1
    }

    /// Everything that a session can read now, and the result after it.
    func readAll(_ session: TLSSession, limit: Int = 256 << 10) -> (bytes: [UInt8], end: Transfer) {
        var bytes: [UInt8] = []
        while true {
            let transfer = session.read(into: buffer, limit: limit)
            guard case .moved(let count) = transfer else { return (bytes, transfer) }
            buffer.append(count: count, to: &bytes)
        }
    }

    /// Sends a text that there is room for, and returns what the other side then reads.
    func pass(_ text: String, from: TLSSession, to: TLSSession) -> String {
        guard from.write(Array(text.utf8)[...]) == .moved(text.utf8.count) else { return "not written" }
        return String(decoding: readAll(to).bytes, as: UTF8.self)
    }
}

/// Contexts of a test.
enum Contexts {
    static func credential(_ issued: TestAuthority.Issued) throws -> TLSCredential {
        try TLSCredential(chain: issued.certificate, key: issued.key)
    }

    static func server(
        _ credentials: [TLSCredential], clients: TLSServerContext.Clients? = nil, minimum: TLSVersion = .tls12,
        applications: [String] = [], scope: String = "", keys: TLSTicketKeys = TLSTicketKeys()
    ) throws -> TLSServerContext {
        try TLSServerContext(
            credentials: credentials, clients: clients, minimum: minimum, applications: applications, scope: scope,
            ticketKeys: keys)
    }

    static func client(
        trusting authority: TestAuthority, verify: TLSClientContext.Verification = .full,
        credential: TLSCredential? = nil, applications: [String] = [], pins: [String] = []
    ) throws -> TLSClientContext {
        try TLSClientContext(
            verify: verify, trust: try TLSTrust(authorities: authority.certificate), pins: pins,
            credential: credential, applications: applications)
    }
}

/// The wall clock.
enum WallTime {
    /// Seconds since 1970 UTC.
    static var now: Int64 { Int64(time(nil)) }
}
