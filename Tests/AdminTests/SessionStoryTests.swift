import Configuration
import Relay
import Sockets
import Testing
import Text

@testable import Admin

/// The stories of connections with TLS.
struct SessionStoryTests {
    private func record(_ reason: EndReason, _ sessions: SessionFacts, isConnected: Bool = true) -> ConnectionRecord {
        var record = ConnectionRecord(
            id: 7, relay: "web", generation: 1, client: .ipv4(.loopback, port: 50_000),
            listener: .ipv4(.loopback, port: 8080), upstream: "db.example:5432", accepted: 0)
        record.connectDuration = isConnected ? 3_000_000 : nil
        record.end = .init(time: 3_400_000_000, duration: 3_400_000_000, reason: reason, errno: nil)
        record.sessions = sessions
        return record
    }

    private func story(_ record: ConnectionRecord) -> String { Story.of(record, timeouts: nil).joined(separator: " ") }

    @Test func sessions_areDescribed() {
        let facts = SessionFacts(
            client: .init(parameters: "TLSv1.3 A", peer: "spiffe://corp/a", application: "h2"),
            upstream: .init(parameters: "TLSv1.2 B", peer: "db.example"))
        let story = story(record(.clientClosed, facts))
        #expect(
            story.contains(
                "The client speaks TLSv1.3 A, ALPN h2, and the certificate of the client is for spiffe://corp/a."))
        #expect(story.contains("The upstream speaks TLSv1.2 B, and the certificate of the upstream is for db.example."))
    }

    @Test func refusedCertificate_isExplainedBySide() {
        let fault = SessionFacts.Fault(
            side: .upstream, text: "presented a certificate that is refused: hostname mismatch")
        let record = record(.tlsCertificateRefused, SessionFacts(fault: fault), isConnected: false)
        let story = story(record)
        #expect(record.closedBy == .upstream)
        #expect(
            story.contains("The upstream presented a certificate that is refused: hostname mismatch; the TLS handshake")
        )
        #expect(story.contains("The settings are in `upstream_tls` of relay web."))
    }

    @Test(
        arguments: [
            (.client, .tlsHandshakeFailed, "The options are --tls-cert and --tls-key."),
            (.upstream, .tlsHandshakeFailed, "The options are --tls-ca and --tls-insecure."),
            (.client, .tlsCertificateRefused, "The options are --tls-cert and --tls-key."),
            (.upstream, .tlsCertificateRefused, "The options are --tls-ca and --tls-insecure."),
            (.upstream, .tlsHandshakeTimeout, "was not complete within the time limit for handshakes, so"),
            (.client, .tlsTruncated, "use a configuration file (`tapline run`), and set tls.truncation there"),
            (.client, .clientClosed, "It was passed on as an end of stream."),
        ] as [(Side, EndReason, String)])
    func forward_hasItsOptions(_ side: Side, _ reason: EndReason, _ words: String) {
        let record = record(reason, SessionFacts(fault: .init(side: side, text: "did something")))
        let story = Story.of(record, timeouts: nil, from: .commandLine)
        #expect(story.joined(separator: " ").contains(words), "\(story)")
        for sentence in story where !sentence.contains("use a configuration file") {
            #expect(!sentence.contains("tls.") && !sentence.contains("`tls`") && !sentence.contains("upstream_tls"))
        }
    }

    @Test func endWithoutCloseNotify_isMentioned_alsoIfItWasPassedOn() {
        let fault = SessionFacts.Fault(side: .client, text: "ended its stream without close_notify")
        #expect(
            story(record(.clientClosed, SessionFacts(fault: fault))).contains(
                "nothing proves that its stream is complete"))
        let cut = record(.tlsTruncated, SessionFacts(fault: fault))
        #expect(cut.closedBy == .client)
        #expect(story(cut).contains("To accept that, set tls.truncation to pass."))
    }

    @Test func record_hasTheSessions_atItsEnd() {
        let fault = SessionFacts.Fault(side: .client, text: "sent the alert unknown_ca")
        let facts = SessionFacts(
            client: .init(parameters: "TLSv1.3 A", peer: "a.internal"),
            upstream: .init(parameters: "TLSv1.2 B", peer: "b"),
            fault: fault)
        var bytes: [UInt8] = []
        record(.tlsFailed, facts).appendEndRecord(as: .text, to: &bytes)
        #expect(
            String(decoding: bytes, as: UTF8.self).hasSuffix(
                #" tls="TLSv1.3 A" tls_peer=a.internal upstream_tls="TLSv1.2 B" upstream_tls_peer=b "#
                    + #"tls_fault="the client sent the alert unknown_ca""# + "\n"))
        #expect(String(decoding: bytes, as: UTF8.self).contains(" closed_by=client reason=tls_failed "))
    }
}
