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
        .proxyHeaderTimeout: ["within proxy_protocol.timeout", "The sender does not send one"],
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
        .tlsHandshakeTimeout: ["was not complete within upstream_tls.handshake", "begins TLS with a command"],
        .tlsTruncated: ["its stream may be incomplete", "truncation to pass"],
        .tlsFailed: ["ended its TLS session", "An alert has its reason"],
        .overLimit: ["system limit", "`ulimit -n`"],
        .internalError: ["internal error in Tapline", "connection 7"],
    ]

    @Test(arguments: EndReason.allCases) func everyEnd_isExplainedWithItsTime_andWhatToDo(_ reason: EndReason) throws {
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

    @Test func upstreamThatDidNotComeUp_isExplainedByTheRecord_whateverTheSettingsAreNow() {
        var refused = record(connected: false, reason: .connectRefused, errno: nil)
        #expect(!Story.of(refused, timeouts: Timeouts(wait: .seconds(3))).joined().contains("timeouts.wait"))
        refused.hold = HoldFacts(
            held: 3000, limit: 3000, failures: 9, reason: .connectRefused, errno: Errno(111))
        let sentence =
            "Tapline waited 3.0 s of at most 3.0 s (timeouts.wait) for \(refused.upstream) to come up. 9 attempts failed; the last: "
            + "connection refused (ECONNREFUSED)."
        for timeouts in [Timeouts(), Timeouts(wait: .seconds(60)), nil] {
            #expect(Story.of(refused, timeouts: timeouts).contains(sentence))
        }
    }

    @Test func upstreamThatCameUp_isExplainedWithTheWaitAndTheAttempts() {
        var closed = record(connected: true, reason: .clientClosed, errno: nil)
        closed.hold = HoldFacts(
            held: 12_000, limit: 30_000, failures: 1, reason: .connectUnreachable, errno: Errno(2),
            isConnected: true)
        let sentence =
            "Tapline held the client for 12.0 s until \(closed.upstream) was up (timeouts.wait). 1 attempt failed; the last: "
            + "the socket file does not exist (ENOENT)."
        #expect(Story.of(closed, timeouts: nil)[1] == sentence)
        closed.upstreamProxy = UpstreamProxyFacts(proxy: "proxy:1080")
        #expect(Story.of(closed, timeouts: nil)[1].contains("until the upstream proxy proxy:1080 was up"))
    }

    @Test func time_thatIsTooShort_isWithinTheShortest() {
        var closed = record(connected: true, reason: .clientClosed, errno: nil)
        closed.connectDuration = 90_000
        closed.firstByteDuration = 95_000
        closed.end?.duration = 99_000
        let story = Story.of(closed, timeouts: nil).joined(separator: " ")
        #expect(story.contains("accepted within 0.1 ms.") && !story.contains("under 0.1 ms"), "\(story)")
    }

    @Test func errno_isNamed() {
        let story = Story.of(
            record(connected: false, reason: .connectRefused, errno: Errno(111)), timeouts: nil)
        #expect(story[1].contains("refused the connection (ECONNREFUSED) after 3.4 s"))
    }

    @Test func clientThatGaveUp_isNotAResetOfABusyConnection() {
        let story = Story.of(record(connected: false, reason: .clientReset), timeouts: nil)
        #expect(story[1].hasPrefix("The client gave up before Tapline had connected to the upstream"))
    }

    @Test func clientThatLeftBeforeItsHeader_neverHadAnUpstream() {
        let story = Story.of(record(connected: false, reason: .clientClosed), timeouts: nil)
        #expect(story[1].hasPrefix("The client closed the connection before it sent what the relay needs first"))
        #expect(story[2].contains("Health checks"))
    }

    @Test func whatCameInPlaceOfAHeader_isNamed() {
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
            (.requestNotAllowed, ["which is not in requested.allow of relay web", "add its name or its network"]),
            (.ownTraffic, ["Tapline's own connection to 127.0.0.1:5432", "meta mark", "meta skuid"]),
        ] as [(DestinationRefusal, [String])])
    func refusedDestination_isExplainedWithWhatToDo(_ refusal: DestinationRefusal, _ wanted: [String]) {
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
        #expect(story[0].hasSuffix(". The relay connects each client to the destination that the client requests."))
        #expect(
            story[1].hasPrefix("The client's request uses SOCKS 4; only SOCKS 5 is supported, so Tapline refused it"))
    }

    @Test func proxysReply_isShown_andTheProxyIsNamed() {
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

    @Test func path_throughAProxy_isNamed_whileOpenAndAfterwards() {
        let proxy = UpstreamProxyFacts(proxy: "proxy.example:1080")
        var ended = record(reason: .clientClosed)
        ended.upstreamProxy = proxy
        let path = "Upstream: db.example:5432, through the proxy proxy.example:1080."
        #expect(Story.of(ended, timeouts: nil)[0].hasSuffix(path))
        let connecting = Story.of(live(state: .connecting) { $0.record.upstreamProxy = proxy }, timeouts: Timeouts())
        #expect(connecting[0].hasSuffix(path))
        #expect(
            connecting.contains(
                "It has waited 1 min 30 s for the upstream proxy proxy.example:1080 (127.0.0.1:5432) to accept; the limit is "
                    + "timeouts.connect (now 5s)."))
        let resolving = Story.of(
            live(state: .connecting) {
                $0.record.upstreamProxy = proxy
                $0.wait = .name
            }, timeouts: nil
        ).joined()
        #expect(resolving.contains("to resolve proxy.example:1080;"))
        ended.request = RequestFacts(protocolName: "SOCKS 5")
        #expect(
            Story.of(ended, timeouts: nil)[0].hasSuffix(
                "It requested db.example:5432 by SOCKS 5. Tapline connects to it through the proxy proxy.example:1080.")
        )
    }

    /// No story of `tapline forward` has a key of the configuration file, except in advice to use one.
    @Test(arguments: EndReason.allCases) func forward_hasItsOptions(_ reason: EndReason) {
        let story = Story.of(
            record(connected: !reason.isOfConnecting, reason: reason), timeouts: Timeouts(wait: .seconds(3)),
            from: .commandLine)
        for sentence in story where !sentence.contains("use a configuration file (`tapline run`)") {
            for setting in StorySettings.Setting.allCases {
                #expect(!sentence.contains(setting.rawValue), "\(sentence)")
            }
            #expect(!sentence.contains("shutdown.drain") && !sentence.contains("relay's `upstream"), "\(sentence)")
        }
    }

    @Test(
        arguments: [
            (.idleTimeout, "for --idle-timeout (now 1h), so"), (.idleTimeout, "raise --idle-timeout, or let"),
            (.connectTimeout, "within --connect-timeout (now 5s)"),
            (.connectRefused, "3.0 s of at most 3.0 s (--wait) for"),
            (.halfCloseTimeout, "for the time limit after one side has closed (now 5m), so"),
            (.halfCloseTimeout, "use a configuration file (`tapline run`), and raise timeouts.half_close there."),
            (.upstreamProxyFailed, "Check --upstream-proxy, and the proxy's own log."),
            (.proxyUntrusted, "accepts load balancers only (--accept-proxy)"),
            (.drained, "When `tapline forward` stops, open connections have 2s to finish."),
            (.nameNotFound, "Check the destination of `tapline forward` for a typo"),
        ] as [(EndReason, String)])
    func forward_isAdvisedToUse(_ reason: EndReason, _ words: String) {
        var timeouts = Timeouts(wait: .seconds(3))
        timeouts.halfClose = .seconds(300)
        timeouts.idle = .seconds(3600)
        var ended = record(connected: !reason.isOfConnecting, reason: reason)
        if reason == .connectRefused {
            ended.hold = HoldFacts(held: 3000, limit: 3000, failures: 9, reason: reason, errno: Errno(111))
        }
        let story = Story.of(ended, timeouts: timeouts, from: .commandLine)
        #expect(story.joined(separator: " ").contains(words), "\(story)")
    }

    @Test func forward_whileOpen_hasItsOptions() {
        let timeouts = Timeouts(idle: .seconds(61))
        let idle = Story.of(live(), timeouts: timeouts, from: .commandLine).joined(separator: " ")
        #expect(idle.contains("--idle-timeout (now 61s) ends it in 1.0 s") && !idle.contains("timeouts."))
        for wait in LiveConnection.Wait.allCases {
            let story = Story.of(live(state: .connecting) { $0.wait = wait }, timeouts: timeouts, from: .commandLine)
                .joined(separator: " ")
            #expect(!story.contains("the limit is the") && !story.contains("tls.handshake"), "\(story)")
            #expect(wait == .clientHello || !story.contains("timeouts.") && !story.contains(".timeout"), "\(story)")
        }
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

    @Test func interceptedConnection_isExplainedByItsDestination() {
        var ended = record(reason: .clientClosed)
        ended.upstream = "original-destination"
        #expect(
            Story.of(ended, timeouts: nil)[1] == "The original destination 127.0.0.1:5432 accepted after 12 ms.")
    }

    @Test func proxiedClient_isExplainedWithItsProxy() {
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
                TLSFacts(fault: "is not TLS: it begins with \"SSH-\""),
                "Its first data is not TLS: it begins with \"SSH-\". Upstream: db.example:5432."
            ),
        ])
    func routedClient_isExplainedWithItsRequest(facts: TLSFacts, words: String) {
        var ended = record(reason: .clientClosed)
        ended.hello = facts
        #expect(Story.of(ended, timeouts: nil)[0].hasSuffix(". " + words))
    }

    /// A refused client had no upstream.
    @Test func refusedClient_isExplainedWithoutAnUpstream() {
        var ended = record(connected: false, reason: .tlsNotRouted)
        ended.hello = TLSFacts(serverName: "a.example")
        #expect(Story.of(ended, timeouts: nil)[0].hasSuffix(". Its TLS ClientHello has server name a.example."))
        ended.hello = TLSFacts(fault: "is TLS, but not a ClientHello")
        #expect(Story.of(ended, timeouts: nil)[0].hasSuffix(". Its first data is TLS, but not a ClientHello."))
    }

    /// The advice does not suggest a route that could not match.
    @Test(
        arguments: [
            (TLSFacts(serverName: "a.example"), "add a route for it, or set"),
            (TLSFacts(applications: "h2"), "add a route for it, or set"),
            (TLSFacts(), "send a server name (SNI)"),
            (TLSFacts(fault: "is not TLS: it begins with \"GET /\""), "use a relay without tls_routing"),
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
