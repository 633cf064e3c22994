import Sockets
import Testing

@testable import Relay

/// The sentence for every end that was not orderly.
struct FailureSentenceTests {
    /// By reason; nil: an orderly end needs none.
    private static let sentences: [EndReason: String?] = [
        .clientClosed: nil,
        .upstreamClosed: nil,
        .clientReset: "the client reset the connection",
        .clientTimedOut: "the client stopped answering",
        .upstreamReset: "localhost:8000 reset the connection",
        .upstreamTimedOut: "localhost:8000 stopped answering",
        .connectRefused: "localhost:8000 refused the connection: nothing is listening on port 8000",
        .connectTimeout: "localhost:8000 did not answer within the connect timeout",
        .connectUnreachable: "localhost:8000 cannot be reached (EHOSTUNREACH)",
        .nameNotFound: "the name localhost does not exist",
        .nameLookupFailed: "the name localhost cannot be resolved: the name server failed or did not answer",
        .noLocalPort: "no local port is free to connect to localhost:8000",
        .loop: "localhost:8000 is one of Tapline's own listeners, so the connection would loop",
        .idleTimeout: "no bytes passed within the idle timeout",
        .halfCloseTimeout: "one side closed, and the other did not within the half-close timeout",
        .lifetime: "the connection reached its maximum lifetime",
        .killed: "killed by request",
        .drained: "still open when Tapline stopped",
        .denied: "the client was refused",
        .proxyUntrusted: "the client may not send a PROXY header, and this relay requires one",
        .proxyHeaderInvalid: "the client's first bytes are not a valid PROXY header",
        .proxyHeaderTimeout: "the client sent no complete PROXY header in time",
        .destinationRefused: "the original destination of the client was refused",
        .tlsNotRouted: "no route matches the client's TLS server name",
        .tlsHelloTimeout: "the client sent no complete TLS ClientHello in time",
        .requestInvalid: "the client's request is invalid or not supported",
        .requestTimeout: "the client sent no complete request in time",
        .upstreamProxyFailed: "the upstream proxy did not connect to localhost:8000",
        .tlsHandshakeFailed: "the TLS handshake failed: localhost:8000 ended its stream during the handshake",
        .tlsCertificateRefused: "a TLS certificate was refused: localhost:8000 ended its stream during the handshake",
        .tlsHandshakeTimeout: "a TLS handshake was not complete in time",
        .tlsTruncated: "the TLS session failed: localhost:8000 ended its stream during the handshake",
        .tlsFailed: "the TLS session failed: localhost:8000 ended its stream during the handshake",
        .overLimit: "a system limit was reached (EHOSTUNREACH)",
        .internalError: "an internal error in Tapline (EHOSTUNREACH); the log has the details",
    ]

    private func record(_ reason: EndReason, upstream: String = "localhost:8000", port: UInt16? = 8000)
        -> ConnectionRecord
    {
        var record = ConnectionRecord(
            id: 1, relay: "web", generation: 1, client: .ipv4(.loopback, port: 50_000),
            listener: .ipv4(.loopback, port: 8080), upstream: upstream, accepted: 0)
        record.upstreamAddress = port.map { .ipv4(.loopback, port: $0) }
        record.connectDuration = reason.isOfConnecting ? nil : 1
        record.sessions = SessionFacts(
            fault: .init(side: .upstream, text: "ended its stream during the handshake"))
        record.end = .init(time: 0, duration: 1, reason: reason, errno: Errno(113))
        return record
    }

    @Test(arguments: EndReason.allCases) func everyReason_hasItsSentence_orNeedsNone(_ reason: EndReason) throws {
        let expected = try #require(Self.sentences[reason])
        #expect(record(reason).failureSentence == expected)
        #expect((reason.outcome == .orderly) == (expected == nil))
    }

    @Test func connection_thatIsOpen_hasNone() {
        var open = record(.connectRefused)
        open.end = nil
        #expect(open.failureSentence == nil)
    }

    @Test func client_thatGaveUpBeforeTheUpstream_isNamedAsThat() {
        var early = record(.clientReset)
        early.connectDuration = nil
        #expect(early.failureSentence == "the client gave up before Tapline had connected to localhost:8000")
    }

    @Test func refusal_byAUnixSocketOrAnOriginalDestination_namesIt() {
        #expect(
            record(.connectRefused, upstream: "unix:/run/a", port: nil).failureSentence
                == "unix:/run/a refused the connection: nothing is listening there")
        #expect(
            record(.connectRefused, upstream: "original-destination").failureSentence
                == "127.0.0.1:8000 refused the connection: nothing is listening on port 8000")
    }

    @Test(arguments: [
        (EndReason.idleTimeout, "the client stopped reading 2.00 s before the end; 1.00 MiB were waiting for it"),
        (
            .lifetime,
            "the connection reached its maximum lifetime; the client stopped reading 2.00 s before the end; "
                + "1.00 MiB were waiting for it"
        ),
    ])
    func side_thatDidNotRead_isNamedWithWhatWaitedForIt(_ reason: EndReason, _ sentence: String) {
        var slow = record(reason)
        slow.flows = .init(
            up: .init(held: 0, quiet: 2000, hasEnded: false, splices: false, hasMoved: true),
            down: .init(held: 1 << 20, quiet: 2000, hasEnded: false, splices: false, hasMoved: true))
        #expect(slow.failureSentence == sentence)
    }

    @Test func invalidRequest_isDescribed() {
        var failed = record(.requestInvalid)
        failed.request = RequestFacts(
            protocolName: "HTTP CONNECT", fault: "uses the HTTP method GET; only CONNECT is supported")
        #expect(
            failed.failureSentence == "the client's request uses the HTTP method GET; only CONNECT is supported")
    }

    @Test func failure_ofAnUpstreamProxy_namesTheProxyAndItsReply() {
        var failed = record(.upstreamProxyFailed)
        failed.upstreamProxy = UpstreamProxyFacts(proxy: "proxy:1080", fault: "replied 05, connection refused")
        #expect(
            failed.failureSentence
                == "the upstream proxy did not connect to localhost:8000: it replied 05, connection refused")
        failed = record(.connectRefused, port: 1080)
        failed.upstreamProxy = UpstreamProxyFacts(proxy: "proxy:1080")
        #expect(
            failed.failureSentence == "the proxy proxy:1080 refused the connection: nothing is listening on port 1080")
        failed = record(.nameNotFound)
        failed.upstreamProxy = UpstreamProxyFacts(proxy: "proxy:1080")
        #expect(failed.failureSentence == "the name proxy does not exist")
    }
}
