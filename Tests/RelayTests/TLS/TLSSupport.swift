import Configuration
import Relay
import Sockets
import TLS
import TestSupport
import Testing

/// Which sides of a relay speak TLS.
enum SecureSides: CaseIterable, Sendable {
    case client, upstream, both

    var hasClient: Bool { self != .upstream }
    var hasUpstream: Bool { self != .client }
}

/// A relay with TLS on one side or both, and its peers.
final class SecureScene {
    let relay: RelayHarness
    let listener: PeerListener
    let authority: TestAuthority
    private let sides: SecureSides
    private let server: TLSServerContext
    /// The context of clients.
    let client: TLSClientContext
    /// The relay's contexts; nil for a side without TLS.
    let relayServer: TLSServerContext?
    let relayClient: TLSClientContext?

    private init(
        _ relay: RelayHarness, _ listener: PeerListener, _ authority: TestAuthority, _ sides: SecureSides,
        _ server: TLSServerContext, _ settings: RelaySettings
    ) throws {
        self.relay = relay
        self.listener = listener
        self.authority = authority
        self.sides = sides
        self.server = server
        relayServer = settings.tls?.loaded?.context
        relayClient = settings.upstreamTLS?.loaded?.context
        client = try TLSClientContext(verify: .full, trust: TLSTrust(authorities: authority.certificate))
    }

    /// Runs a body with a relay. `change` may change its settings. Afterwards every session must be freed.
    static func run(
        _ sides: SecureSides, pump: RelayHarness.Pump = .splice,
        _ change: (inout RelaySettings, TestAuthority) throws -> Void = { _, _ in },
        _ body: (SecureScene) async throws -> Void
    ) async throws {
        try await Exclusive.run {
            let authority = try TestAuthority()
            let server = try context(authority)
            let listener = try PeerListener()
            var settings = RelaySettings.to(.address(listener.address))
            if sides.hasClient { settings.tls = TLSSettings(certificates: [], loaded: LoadedTLS(server)) }
            if sides.hasUpstream {
                let trust = try TLSTrust(authorities: authority.certificate)
                settings.upstreamTLS = UpstreamTLSSettings(
                    serverName: "localhost", loaded: LoadedTLS(try TLSClientContext(verify: .full, trust: trust)))
            }
            try change(&settings, authority)
            let final = settings
            try await RelayHarness.runAlone([final], pump: pump) {
                try await body(SecureScene($0, listener, authority, sides, server, final))
            }
            #expect(final.tls?.loaded?.context.openSessions ?? 0 == 0)
            #expect(final.upstreamTLS?.loaded?.context.openSessions ?? 0 == 0)
        }
    }

    /// A server's context.
    static func context(_ authority: TestAuthority) throws -> TLSServerContext {
        let issued = try authority.issue()
        return try TLSServerContext(credentials: [TLSCredential(chain: issued.certificate, key: issued.key)])
    }

    /// A client that has its session, if the relay speaks TLS with clients.
    func connect() throws -> SecurePeer {
        let peer = try relay.connect()
        guard sides.hasClient else { return SecurePeer(plain: peer) }
        let client = try SecurePeer(client: peer, client)
        try client.establish()
        return client
    }

    /// The upstream's end, with its session if the relay speaks TLS with the upstream.
    func accept() throws -> SecurePeer {
        let peer = try listener.accept()
        guard sides.hasUpstream else { return SecurePeer(plain: peer) }
        let upstream = try SecurePeer(server: peer, server)
        try upstream.establish()
        return upstream
    }

    /// Both ends of a connection.
    func pair() throws -> (client: SecurePeer, upstream: SecurePeer) {
        let client = try connect()
        return (client, try accept())
    }
}

extension SecurePeer {
    /// How a half ends in order on this peer's side.
    var orderly: Ending { session == nil ? .fin : .inOrder }
}
