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

    /// Each refusal has its own advice, in the words of a configuration file or of `forward`.
    @Test(
        arguments: [
            (
                .trust(issuer: "CN=Company CA"), .upstream,
                "To trust CN=Company CA, name its PEM file in `upstream_tls.ca`."
            ),
            (.trust(issuer: "CN=A"), .client, "No authority in `tls.clients.ca` has issued it (issuer: CN=A)."),
            (
                .serverName("localhost", presented: "a.example"), .upstream,
                "The certificate is for a.example, and localhost was checked. If that is the right server, set "
                    + "`upstream_tls.server_name` to a name"
            ),
            (
                .trustLocalAuthority, .client,
                "The client does not trust the local CA: `tapline ca` prints how to trust it."
            ),
            (
                .completeChain(chain: "/etc/server.pem", issuer: "CN=A"), .client,
                "The client does not trust the issuer of server.pem (CN=A), or an intermediate certificate is missing in "
                    + "`chain`."
            ),
            (.clientMayDistrust, .client, "Some clients (Node.js) do this when they do not trust the certificate."),
            (.presentCertificate, .upstream, "It wants a client certificate: set `upstream_tls.certificate`."),
            (
                .giveClientCertificate, .client,
                "Give the client a certificate, or set `tls.clients.require` to false."
            ),
            (
                .application(offered: "http/1.1", allowed: "h2"), .client,
                "The client offered http/1.1; `alpn` allows h2."
            ),
            (
                .application(offered: "h2", allowed: nil), .upstream,
                "Tapline offered h2, and the upstream accepts none of them: set `upstream_tls.alpn` to what it speaks."
            ),
            (.validName, .client, "Certificates are for names of letters, digits and hyphens, and for addresses."),
            (.useHTTPS, .client, "This port speaks TLS: the client has to use https://."),
            (.startTLS("postgres"), .client, "PostgreSQL begins TLS with a command: set `tls.starttls` to postgres."),
            (.startTLS("smtp"), .upstream, "SMTP begins TLS with a command: set `upstream_tls.starttls` to smtp."),
            (
                .startTLS(nil), .upstream,
                "PostgreSQL, SMTP and IMAP begin TLS with a command: set `upstream_tls.starttls`."
            ),
            (.readLog, .client, "An alert has its reason in the log of the program that sent it."),
            (.shareVersion, .client, "Check that both sides speak TLS on this port, and that they share a version"),
        ] as [(SessionFacts.Remedy, Side, String)])
    func failedHandshake_hasItsAdvice(_ remedy: SessionFacts.Remedy, _ side: Side, _ words: String) {
        let fault = SessionFacts.Fault(side: side, text: "failed", remedy: remedy)
        for reason in [EndReason.tlsCertificateRefused, .tlsHandshakeFailed] {
            let record = record(reason, SessionFacts(fault: fault), isConnected: false)
            let story = story(record)
            #expect(story.contains(words), "\(story)")
            #expect(!story.contains("Compare what was presented"))
            let command = Story.of(record, timeouts: nil, from: .commandLine)
            for sentence in command where !sentence.contains("use a configuration file (`tapline run`)") {
                for setting in StorySettings.Setting.allCases { #expect(!sentence.contains("`\(setting.rawValue)`")) }
            }
        }
    }

    @Test func upstreamOnAWellKnownPort_hasItsProtocol() {
        let fault = SessionFacts.Fault(
            side: .upstream, text: "ended its stream during the handshake", remedy: .startTLS(nil))
        var record = record(.tlsHandshakeFailed, SessionFacts(fault: fault), isConnected: false)
        record.upstreamAddress = .ipv4(.loopback, port: 5432)
        #expect(
            story(record).contains("PostgreSQL begins TLS with a command: set `upstream_tls.starttls` to postgres."))
    }

    @Test(arguments: [(587, "smtp"), (143, "imap"), (8080, "smtp or imap")] as [(UInt16, String)])
    func silentClient_mayWaitForTheServer(_ port: UInt16, _ value: String) {
        var record = ConnectionRecord(
            id: 7, relay: "web", generation: 1, client: .ipv4(.loopback, port: 50_000),
            listener: .ipv4(.loopback, port: port), upstream: "a.example:7000", accepted: 0)
        record.end = .init(time: 3_400_000_000, duration: 3_400_000_000, reason: .tlsHandshakeTimeout, errno: nil)
        #expect(
            story(record).contains(
                "Mail clients, and others, wait for the server to speak first. For them, set `tls.starttls` to \(value),"
            ))
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
