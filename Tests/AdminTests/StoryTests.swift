import Configuration
import Relay
import Sockets
import Testing

@testable import Admin

/// The stories of connections.
struct StoryTests {
    /// For each reason: who, and what to do or to know.
    private static let expected: [EndReason: [String]] = [
        .clientClosed: ["The client closed first", "shut down cleanly"],
        .upstreamClosed: ["The upstream closed first", "shut down cleanly"],
        .clientReset: ["The client reset the connection", "passed on to the upstream", "Check its log"],
        .upstreamReset: ["The upstream reset the connection", "passed on to the client", "Check its log"],
        .clientTimedOut: ["The client stopped answering", "drops the packets"],
        .upstreamTimedOut: ["The upstream stopped answering", "drops the packets"],
        .connectRefused: ["refused the connection", "Check with `ss -ltn 'sport = :5432'` on that machine"],
        .connectTimeout: ["did not answer within timeouts.connect (now 5s)", "firewall drops"],
        .connectUnreachable: ["is unreachable", "`ip route get`"],
        .nameNotFound: ["The name db.example does not exist", "for a typo", "`getent ahosts db.example`"],
        .nameLookupFailed: ["could not resolve db.example", "/etc/resolv.conf"],
        .noLocalPort: ["Every local port for 127.0.0.1:5432 was in use", "ip_local_port_range"],
        .loop: ["one of Tapline's own listeners", "Change the relay's `upstream`"],
        .idleTimeout: ["timeouts.idle (now 1h)", "raise timeouts.idle"],
        .halfCloseTimeout: ["timeouts.half_close (now 55s)", "does not close its socket"],
        .lifetime: ["timeouts.lifetime (now off)"],
        .killed: ["tapline kill 7"],
        .drained: ["at the end of the drain", "shutdown.drain"],
        .denied: ["not allowed"],
        .proxyUntrusted: ["127.0.0.1:50000 is not in proxy_protocol.trusted", "add its address there"],
        .proxyHeaderInvalid: ["the first data is something else", "send-proxy-v2"],
        .proxyHeaderTimeout: ["within proxy_protocol.timeout", "The sender sends none"],
        .destinationRefused: [
            "The system does not know the client's original destination", "put the rules into Tapline's namespace",
        ],
        .tlsNotRouted: ["No route of tls_routing matches", "tls_routing.otherwise"],
        .tlsHelloTimeout: ["within tls_routing.timeout", "to send first"],
        .requestInvalid: ["The client's request is invalid, so Tapline refused it", "--socks5-hostname"],
        .requestTimeout: ["within requested.timeout", "uses this address as a proxy"],
        .upstreamProxyFailed: ["did not connect to db.example:5432: it failed", "own log"],
        .tlsHandshakeFailed: ["the TLS handshake failed", "share a version"],
        .tlsCertificateRefused: ["the TLS handshake failed", "what was presented"],
        .tlsHandshakeTimeout: ["was not complete within upstream_tls.handshake", "speak first"],
        .tlsTruncated: ["its stream may be incomplete", "truncation to pass"],
        .tlsFailed: ["ended its TLS session", "An alert has its reason"],
        .overLimit: ["system limit", "`ulimit -n`"],
        .internalError: ["internal error of Tapline", "connection 7"],
    ]

    @Test(arguments: EndReason.allCases) func everyEnd_isToldWithItsTime_andWhatToDo(_ reason: EndReason) throws {
        let wanted = try #require(Self.expected[reason])
        let sentences = Story.of(
            record(connected: !reason.isOfConnecting, reason: reason, errno: nil), timeouts: Timeouts())
        let text = sentences.joined(separator: " ")
        for words in wanted { #expect(text.contains(words), "\(text)") }
        #expect(
            text.contains(
                "The client 127.0.0.1:50000 connected to relay web (127.0.0.1:8080) at 2025-11-24T16:00:00.000Z. Upstream: "
            ))
        #expect(text.contains("2025-11-24T16:00:03.400Z"), "\(text)")
        for sentence in sentences {
            #expect(sentence.hasSuffix("."))
            #expect(sentence.first?.isUppercase == true || sentence.first?.isNumber == true || sentence.hasPrefix("`"))
            #expect(!sentence.contains("  ") && !sentence.contains("Optional"))
        }
    }

    @Test func upstreamThatDidNotComeUp_isToldWithTheWait() {
        let refused = record(connected: false, reason: .connectRefused, errno: nil)
        let sentence = "Tapline had tried again for timeouts.wait (now 3s): the upstream did not come up in that time."
        #expect(Story.of(refused, timeouts: Timeouts(wait: .seconds(3))).contains(sentence))
        #expect(!Story.of(refused, timeouts: Timeouts()).joined().contains("timeouts.wait"))
    }

    @Test func errno_isNamed() {
        let story = Story.of(
            record(connected: false, reason: .connectRefused, errno: Errno(111)), timeouts: nil)
        #expect(story[1].contains("refused the connection (ECONNREFUSED) after 3.4 s"))
    }

    @Test func clientThatGaveUp_isNotAResetOfABusyConnection() {
        let story = Story.of(record(connected: false, reason: .clientReset), timeouts: nil)
        #expect(story[1].hasPrefix("The client gave up before the upstream was connected"))
    }

    @Test func clientThatLeftBeforeItsHeader_neverHadAnUpstream() {
        let story = Story.of(record(connected: false, reason: .clientClosed), timeouts: nil)
        #expect(story[1].hasPrefix("The client closed the connection before it sent what the relay needs first"))
        #expect(story[2].contains("Health checks"))
    }

    @Test func whatCameInPlaceOfAHeader_isTold() {
        var ended = record(connected: false, reason: .proxyHeaderInvalid)
        ended.proxy = ProxyFacts(fault: "begins with \"GET /\"")
        #expect(
            Story.of(ended, timeouts: nil)[1].hasPrefix(
                "A PROXY protocol header was expected, but the first data begins with \"GET /\", so Tapline reset"
            ))
    }

    @Test(
        arguments: [
            (.notRedirected, ["connected to the listener directly", "forwards clients to their original destination"]),
            (
                .ownListener,
                ["original destination 127.0.0.1:5432 is another of Tapline's own listeners", "Exclude that port"]
            ),
            (
                .notAllowed,
                ["127.0.0.1:5432 is not in interception.allow of relay web", "everything but loopback"]
            ),
            (.requestNotAllowed, ["requested.allow of relay web does not allow it", "add its name or its network"]),
            (.ownTraffic, ["Tapline's own connection to 127.0.0.1:5432", "meta mark", "meta skuid"]),
        ] as [(DestinationRefusal, [String])])
    func refusedDestination_isToldWithWhatToDo(_ refusal: DestinationRefusal, _ wanted: [String]) {
        var ended = record(connected: false, reason: refusal == .ownTraffic ? .loop : .destinationRefused)
        ended.upstream = "original-destination"
        ended.refusal = refusal
        let story = Story.of(ended, timeouts: nil)
        for words in wanted { #expect(story.joined(separator: " ").contains(words), "\(story)") }
        #expect(story[0].hasSuffix(". The relay forwards each client to its original destination."))
    }

    @Test func requestedDestination_isNamedWithItsProtocol() {
        var ended = record(reason: .clientClosed)
        ended.request = RequestFacts(protocolName: "HTTP CONNECT")
        #expect(Story.of(ended, timeouts: nil)[0].hasSuffix(". It requested db.example:5432 by HTTP CONNECT."))
        ended = record(connected: false, reason: .requestInvalid)
        ended.upstream = "requested"
        ended.request = RequestFacts(protocolName: "SOCKS 4", fault: "uses SOCKS 4; only SOCKS 5 is supported")
        let story = Story.of(ended, timeouts: nil)
        #expect(story[0].hasSuffix(". The relay connects each client to the destination that it requests."))
        #expect(
            story[1].hasPrefix("The client's request uses SOCKS 4; only SOCKS 5 is supported, so Tapline refused it"))
    }

    @Test func proxysReply_isTold_andTheProxyIsNamed() {
        var ended = record(connected: false, reason: .upstreamProxyFailed)
        ended.upstreamProxy = UpstreamProxyFacts(proxy: "proxy.example:1080", fault: "replied 05, connection refused")
        #expect(
            Story.of(ended, timeouts: nil)[1].hasPrefix(
                "The upstream proxy proxy.example:1080 (127.0.0.1:5432) did not connect to db.example:5432: it replied 05, "
                    + "connection refused, after"))
        ended = record(connected: false, reason: .connectRefused)
        ended.upstreamProxy = UpstreamProxyFacts(proxy: "127.0.0.1:5432")
        #expect(Story.of(ended, timeouts: nil)[1].hasPrefix("The upstream proxy 127.0.0.1:5432 refused the connection"))
        ended = record(reason: .clientClosed)
        ended.upstreamProxy = UpstreamProxyFacts(proxy: "127.0.0.1:5432")
        #expect(
            Story.of(ended, timeouts: nil)[1]
                == "db.example:5432 accepted through the proxy 127.0.0.1:5432 after 12 ms.")
    }

    @Test func nameThatDoesNotExist_isTheOneThatWasLookedUp() {
        var ended = record(connected: false, reason: .nameNotFound)
        ended.upstreamProxy = UpstreamProxyFacts(proxy: "proxy.example:3128")
        var story = Story.of(ended, timeouts: nil)
        #expect(
            story[1].hasPrefix("The name proxy.example does not exist") && story[1].hasSuffix("; the client was reset.")
        )
        #expect(
            story[2]
                == "Check the relay's `upstream_proxy` for a typo, and run `getent ahosts proxy.example` where Tapline runs."
        )
        ended = record(connected: false, reason: .nameNotFound)
        ended.request = RequestFacts(protocolName: "SOCKS 5")
        story = Story.of(ended, timeouts: nil)
        #expect(story[1].hasSuffix("; the client got a reply with the cause."))
        #expect(
            story[2].hasPrefix(
                "The client requested that name; check it for a typo, and run `getent ahosts db.example`"))
    }

    @Test func interceptedConnection_isToldByItsDestination() {
        var ended = record(reason: .clientClosed)
        ended.upstream = "original-destination"
        #expect(
            Story.of(ended, timeouts: nil)[1] == "The original destination 127.0.0.1:5432 accepted after 12 ms.")
    }

    @Test func proxiedClient_isToldWithWhoSpeaksForIt() {
        var ended = record(reason: .clientClosed)
        ended.proxy = ProxyFacts(peer: .ipv4(IPv4Address(bits: 0x0A00_0001), port: 4444), version: "v2")
        #expect(
            Story.of(ended, timeouts: nil)[0].hasPrefix(
                "The client 127.0.0.1:50000, through 10.0.0.1:4444, connected to relay web (127.0.0.1:8080)"))
        // Who speaks for itself.
        ended.proxy = ProxyFacts(peer: ended.client, version: "v2")
        #expect(Story.of(ended, timeouts: nil)[0].hasPrefix("The client 127.0.0.1:50000 connected to"))
    }

    @Test(
        arguments: [
            (
                TLSFacts(serverName: "a.example", applications: "h2,http/1.1", route: "*.example"),
                "Its TLS ClientHello has server name a.example and ALPN h2,http/1.1. Upstream: db.example:5432, by the route "
                    + "for *.example."
            ),
            (TLSFacts(), "Its TLS ClientHello has no server name. Upstream: db.example:5432."),
            (
                TLSFacts(fault: "is no TLS: it begins with \"SSH-\""),
                "Its first data is no TLS: it begins with \"SSH-\". Upstream: db.example:5432."
            ),
        ])
    func routedClient_isToldWithWhatItAskedFor(facts: TLSFacts, words: String) {
        var ended = record(reason: .clientClosed)
        ended.hello = facts
        #expect(Story.of(ended, timeouts: nil)[0].hasSuffix(". " + words))
    }

    /// A refused client had no upstream.
    @Test func refusedClient_isToldWithoutAnUpstream() {
        var ended = record(connected: false, reason: .tlsNotRouted)
        ended.hello = TLSFacts(serverName: "a.example")
        #expect(Story.of(ended, timeouts: nil)[0].hasSuffix(". Its TLS ClientHello has server name a.example."))
        ended.hello = TLSFacts(fault: "is TLS, but no ClientHello")
        #expect(Story.of(ended, timeouts: nil)[0].hasSuffix(". Its first data is TLS, but no ClientHello."))
    }

    /// The advice does not suggest a route that could not match.
    @Test(
        arguments: [
            (TLSFacts(serverName: "a.example"), "add a route for it, or set"),
            (TLSFacts(applications: "h2"), "add a route for it, or set"),
            (TLSFacts(), "send a server name (SNI)"),
            (TLSFacts(fault: "is no TLS: it begins with \"GET /\""), "use a relay without tls_routing"),
        ])
    func refusedClient_isAdvisedByWhatItSent(facts: TLSFacts, words: String) {
        var ended = record(connected: false, reason: .tlsNotRouted)
        ended.hello = facts
        let advice = Story.of(ended, timeouts: nil).last ?? ""
        #expect(advice.contains(words) && advice.contains("set tls_routing.otherwise to upstream"), "\(advice)")
        #expect(advice.contains("add a route") == words.contains("add a route"))
    }

    @Test func volume_isInNumbersPeopleCanRead() {
        let story = Story.of(record(reason: .clientClosed), timeouts: nil)
        #expect(story[1] == "The upstream db.example:5432 (127.0.0.1:5432) accepted after 12 ms.")
        #expect(
            story[2] == "1 byte went up and 1,234,567 bytes came down; the first byte reached the client after 34 ms.")
    }

    @Test func recording_saysWhatIsMissing() {
        var ended = record(reason: .clientClosed)
        ended.recordedBytes = 1000
        #expect(Story.of(ended, timeouts: nil).last == "The recording has 1,000 bytes.")
        ended.droppedBytes = 24
        #expect(Story.of(ended, timeouts: nil).last?.contains("24 bytes were lost") == true)
    }

    @Test func unixClient_hasNoAddress() {
        var ended = record(reason: .clientClosed)
        ended.client = .unix(path: "")
        #expect(Story.of(ended, timeouts: nil)[0].hasPrefix("A client connected to relay web (127.0.0.1:8080)"))
    }

    @Test(arguments: [
        (0, "under 1 ms"), (999, "999 ms"), (1000, "1.0 s"), (59_999, "59.9 s"), (60_000, "1 min 0 s"),
        (3_599_999, "59 min 59 s"), (3_600_000, "1 h 0 min"), (90_061_000, "1 d 1 h"),
    ])
    func durations_areSaidAsPeopleSayThem(_ milliseconds: UInt64, _ text: String) {
        #expect(Story.text(milliseconds: milliseconds) == text)
    }
}

/// Which side waits, and for what.
struct WaitsTests {
    struct Case: Sendable {
        var live: LiveConnection
        var subject: Waits.Subject
        var milliseconds: UInt64
        var words: String
    }

    static let cases: [Case] = [
        Case(
            live: live(state: .connecting) { $0.wait = .proxyHeader }, subject: .header, milliseconds: 90_000,
            words:
                "It has waited 1 min 30 s for the client's PROXY protocol header; the limit is proxy_protocol.timeout"),
        Case(
            live: live(state: .connecting) { $0.wait = .clientHello }, subject: .hello, milliseconds: 90_000,
            words: "It has waited 1 min 30 s for the client's TLS ClientHello; the limit is tls_routing.timeout"),
        Case(
            live: live(state: .connecting) { $0.wait = .request }, subject: .request, milliseconds: 90_000,
            words: "waits for the client's request for a destination (SOCKS 5 or HTTP CONNECT), for 1 min 30 s"),
        Case(
            live: live(state: .connecting) { $0.wait = .name }, subject: .name, milliseconds: 90_000,
            words: "It has waited 1 min 30 s for the name service to resolve db.example:5432"),
        Case(
            live: live(state: .connecting), subject: .connect, milliseconds: 90_000,
            words: "It has waited 1 min 30 s for 127.0.0.1:5432 to accept; the limit is timeouts.connect (now 5s)"),
        Case(
            live: live { $0.down.held = 65_536 }, subject: .clientReads, milliseconds: 60_000,
            words:
                "The client is not reading: 64.0 KiB is waiting in Tapline, and nothing has moved for 1 min 0 s. The upstream "
                + "has to wait"),
        Case(
            live: live { $0.up.queued = 4096 }, subject: .upstreamReads,
            milliseconds: 61_000, words: "The upstream is not reading: 4.00 KiB in the send queue is not acknowledged"),
        Case(
            live: live {
                $0.up.held = 1
                $0.down.held = 2
            }, subject: .bothRead, milliseconds: 60_000,
            words: "Neither side is reading: 1 B is waiting for the upstream"),
        Case(
            live: live(state: .connecting) { $0.wait = .clientHandshake }, subject: .clientHandshake,
            milliseconds: 90_000, words: "for the client to complete the TLS handshake; the limit is tls.handshake"),
        Case(
            live: live(state: .connecting) { $0.wait = .upstreamHandshake }, subject: .upstreamHandshake,
            milliseconds: 90_000,
            words: "for db.example:5432 to complete the TLS handshake; the limit is upstream_tls.handshake"),
        Case(
            live: live(state: .connecting) {
                $0.wait = .upstreamUp
                $0.hold = .init(
                    waited: 12_000, limit: 30_000, attempts: 25, reason: .connectRefused, errno: Errno(111))
            }, subject: .upstreamUp, milliseconds: 12_000,
            words: "Tapline waits for db.example:5432 to come up, 12.0 s of 30.0 s (timeouts.wait). 25 attempts "
                + "failed; the last: connection refused (ECONNREFUSED)."),
        Case(
            live: live(), subject: .clientSends, milliseconds: 60_000,
            words:
                "the upstream sent last, and everything it sent is delivered, at least 1 min 0 s ago. The client is expected"
        ),
        Case(
            live: live { $0.up.quiet = 1000 }, subject: .upstreamSends, milliseconds: 1000,
            words: "the client sent last"),
        Case(
            live: live {
                $0.up.hasMoved = false
                $0.down.hasMoved = false
            }, subject: .anyoneSends, milliseconds: 60_000, words: "Neither side has sent a byte in 1 min 0 s"),
        Case(
            live: live(state: .halfClosed) { $0.up.hasEnded = true }, subject: .upstreamSends, milliseconds: 60_000,
            words: "The client has closed its half; the upstream can still send to it."),
        Case(
            live: live(state: .halfClosed) { $0.down.hasEnded = true }, subject: .clientSends, milliseconds: 60_000,
            words: "the upstream has closed its half"),
        Case(
            live: live(state: .resetting) { $0.client?.hasFailed = true }, subject: .sent, milliseconds: 60_000,
            words: "The client's socket has failed; what it sent before is being delivered to the upstream"),
        Case(
            live: live {
                $0.down.awaitsRecording = true
                $0.down.held = 5
            }, subject: .recording, milliseconds: 60_000,
            words: "It waits for its recording, which has taken nothing for 1 min 0 s: record.when_full is block"),
    ]

    @Test(arguments: cases) func sideThatIsWaitedFor_isNamed(_ situation: Case) throws {
        let waits = try #require(Waits(situation.live))
        #expect(waits.subject == situation.subject)
        #expect(waits.milliseconds == situation.milliseconds)
        let story = Story.of(situation.live, timeouts: Timeouts()).joined(separator: " ")
        #expect(story.contains(situation.words), "\(story)")
    }

    @Test func everySubject_hasACase() {
        #expect(Set(Self.cases.map(\.subject)) == Set(Waits.Subject.allCases))
    }

    @Test func whileBytesMove_neitherSideWaits() {
        let moving = live { $0.down.quiet = 10 }
        #expect(Waits(moving) == nil)
        #expect(Story.of(moving, timeouts: nil).contains("Bytes are moving now."))
        // Held for a moment only: a stream that its reader keeps up with.
        #expect(
            Waits(
                live {
                    $0.down.quiet = 10
                    $0.down.held = 5
                }) == nil)
    }

    @Test func oneFlowMoves_whileTheOthersReaderSleeps() throws {
        let waits = try #require(
            Waits(
                live {
                    $0.down.held = 5
                    $0.up.quiet = 0
                }))
        #expect(waits.subject == .clientReads && waits.milliseconds == 60_000)
    }

    @Test func silentNetwork_isTold() {
        let story = Story.of(
            live {
                $0.client?.kernel = kernel(retransmits: 3)
                $0.upstream?.kernel = kernel(probes: 1)
            }, timeouts: nil
        ).joined(separator: " ")
        #expect(story.contains("The client's machine does not acknowledge: the same bytes were sent again 3 times"))
        #expect(story.contains("The upstream's machine was probed 1 time without an answer."))
    }

    @Test func timeoutsAhead_areTold() {
        let story = Story.of(
            live(), timeouts: Timeouts(idle: .seconds(61), lifetime: .seconds(3600))
        ).joined(separator: " ")
        #expect(story.contains("timeouts.idle (now 61s) ends it in 1.0 s, unless a byte moves."))
        #expect(story.contains("timeouts.lifetime (now 1h) ends it in 58 min 30 s."))
    }
}
