import Configuration
import Sockets
import Testing
import Text

@testable import Admin
@testable import Relay

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
            (.upstream, .tlsHandshakeTimeout, "was not complete within the time limit for the TLS handshake, so"),
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

    @Test(arguments: [
        (SessionFacts.Fault.Refusal.byTapline, "It was Tapline that refused the client."),
        (.byPeer, "It was the client that refused Tapline."),
    ])
    func refusedCertificate_isExplained_byWhoRefused(_ refusal: SessionFacts.Fault.Refusal, _ sentence: String) {
        let fault = SessionFacts.Fault(side: .client, text: "is at fault", refusal: refusal)
        let record = record(.tlsCertificateRefused, SessionFacts(fault: fault), isConnected: false)
        #expect(record.closedBy == .client)
        #expect(story(record).contains(sentence))
        let who = refusal == .byTapline ? "Tapline refused a TLS certificate" : "a TLS certificate was refused"
        #expect(record.failureSentence == "\(who): the client is at fault")
    }

    @Test(arguments: [
        (Side.client, "The client closed without reading the end of TLS (close_notify), as Python and wget do;"),
        (.upstream, "The upstream closed without reading the end of TLS (close_notify), as PostgreSQL does;"),
    ])
    func endOfTLS_thatWasNotRead_isNoFailure(_ side: Side, _ sentence: String) {
        let story = story(record(.upstreamClosed, SessionFacts(closedUnread: side)))
        #expect(story.contains("The upstream closed first, and the connection shut down cleanly"))
        #expect(story.contains(sentence + " every byte had been sent to it."))
    }

    @Test(arguments: [
        (
            SessionFacts.Unmet.postgresTLS,
            "The client asked for TLS (SSLRequest), which this relay does not offer to its clients: add `tls` with "
                + "`starttls: postgres`, or let the client use sslmode=prefer or disable."
        ),
        (
            .mailWithoutTLS(protocolName: "SMTP", answer: "530"),
            "The client spoke SMTP without STARTTLS, which this relay requires (answered 530)."
        ),
    ])
    func clientThatLeftBeforeTLS_isNoHealthCheck(_ unmet: SessionFacts.Unmet, _ sentence: String) {
        let story = story(record(.clientClosed, SessionFacts(unmet: unmet), isConnected: false))
        #expect(story.contains(sentence), "\(story)")
        #expect(!story.contains("Health checks") && !story.contains("PROXY"))
    }

    @Test func clientThatResetInItsHandshake_didNotGiveUpOnTheUpstream() {
        var early = record(.clientReset, SessionFacts(), isConnected: false)
        #expect(story(early).contains("The client reset the connection during its TLS handshake, after 3.4 s"))
        #expect(!story(early).contains("before Tapline had connected to the upstream"))
        early.sessions = nil
        #expect(story(early).contains("The client reset the connection before it sent what the relay needs first"))
        early.attempts = 1
        #expect(story(early).contains("The client gave up before Tapline had connected to the upstream"))
    }

    @Test func alertOfTheUpstream_explainsTheEnd_withoutTheHalvesThatTaplineCut() {
        let fault = SessionFacts.Fault(side: .upstream, text: "sent the alert internal_error")
        var ended = record(.tlsFailed, SessionFacts(fault: fault))
        let cut = LiveConnection.FlowState(
            held: 0, quiet: 0, hasEnded: true, splices: false, hasMoved: true)
        ended.flows = .init(up: cut, down: cut)
        #expect(!story(ended).contains("closed their halves") && !story(ended).contains("Bytes were moving"))
        // What was waiting is named.
        ended.flows?.down = .init(held: 5000, quiet: 2000, hasEnded: true, splices: false, hasMoved: true)
        #expect(story(ended).contains("The client stopped reading 2.0 s before the end"))
    }

    @Test func limitOfAHandshake_isNamedWithItsValue() {
        var settings = RelaySettings(
            name: "web", listen: [.address(.ipv4(.loopback, port: 8080))], upstream: .name("db.example", port: 5432))
        settings.tls = TLSSettings(certificates: [])
        settings.tls?.session.handshake = .seconds(7)
        settings.upstreamTLS = UpstreamTLSSettings()
        let handshakes = StorySettings.Handshakes(settings)
        var ended = record(.tlsHandshakeTimeout, SessionFacts(), isConnected: false)
        func story(_ origin: StorySettings.Origin = .file) -> String {
            Story.of(ended, timeouts: nil, from: origin, handshakes: handshakes).joined(separator: " ")
        }
        #expect(story().contains("with the client was not complete within tls.handshake (now 7s)"))
        #expect(story(.commandLine).contains("within the time limit for the TLS handshake (now 7s)"))
        ended.connectDuration = 1
        #expect(story().contains("with the upstream was not complete within upstream_tls.handshake (now 10s)"))
        var live = LiveConnection(record: ended, state: .connecting, age: 2_000_000_000)
        live.wait = .clientHandshake
        let waiting = Story.of(live, timeouts: nil, handshakes: handshakes).joined(separator: " ")
        #expect(waiting.contains("the limit is tls.handshake (now 7s). The upstream is connected after that."))
    }

    @Test func certificate_thatDoesNotHaveTheServerName_isNamed() {
        let facts = SessionFacts(serverName: "other.example.com", substitute: "CN=localhost")
        let record = record(.clientClosed, facts)
        #expect(
            story(record).contains(
                "Tapline has no certificate for other.example.com; it sent the first one, CN=localhost."))
        var bytes: [UInt8] = []
        record.appendEndRecord(as: .text, to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self).contains(" server_name=other.example.com "))
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
