import Configuration
import Relay
import Sockets
import Testing

@testable import Admin

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
            words: "has waited 1 min 30 s for the client to request a destination (SOCKS 5 or HTTP CONNECT)"),
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
            milliseconds: 61_000, words: "The upstream is not reading: 4.00 KiB is unacknowledged in the send queue"),
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
                $0.record.hold = HoldFacts(
                    held: 12_000, limit: 30_000, failures: 25, reason: .connectRefused, errno: Errno(111))
            }, subject: .upstreamUp, milliseconds: 12_000,
            words:
                "Tapline has waited 12.0 s of at most 30.0 s (timeouts.wait) for db.example:5432 to come up. 25 attempts "
                + "failed; the last: connection refused (ECONNREFUSED)."),
        Case(
            live: live(state: .connecting) {
                $0.wait = .upstreamUp
                $0.record.upstreamProxy = UpstreamProxyFacts(proxy: "proxy:1080")
                $0.record.hold = HoldFacts(
                    held: 12_000, limit: 30_000, failures: 1, reason: .connectRefused, errno: Errno(111))
            }, subject: .upstreamUp, milliseconds: 12_000,
            words: "(timeouts.wait) for the upstream proxy proxy:1080 to come up."),
        Case(
            live: live(state: .connecting) {
                $0.wait = .name
                $0.record.upstreamProxy = UpstreamProxyFacts(proxy: "proxy:1080")
            }, subject: .name, milliseconds: 90_000,
            words: "It has waited 1 min 30 s for the name service to resolve proxy:1080; the limit"),
        Case(
            live: live(state: .connecting) {
                $0.wait = .connect
                $0.record.upstreamProxy = UpstreamProxyFacts(proxy: "proxy:1080")
            }, subject: .connect, milliseconds: 90_000,
            words: "It has waited 1 min 30 s for the upstream proxy proxy:1080"),
        Case(
            live: live(state: .connecting) {
                $0.wait = .connect
                $0.upstream = .init(address: .ipv4(.loopback, port: 1080))
                $0.record.upstreamProxy = UpstreamProxyFacts(proxy: "proxy:1080")
            }, subject: .connect, milliseconds: 90_000, words: "to connect to db.example:5432; the limit"),
        Case(
            live: live(), subject: .clientSends, milliseconds: 60_000,
            words:
                "the upstream sent last, and everything it sent was delivered, at least 1 min 0 s ago. The client is expected"
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
            words:
                "It is waiting for its recording, which has accepted nothing for 1 min 0 s: record.when_full is `block`"
        ),
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

    @Test func silentNetwork_isReported() {
        let story = Story.of(
            live {
                $0.client?.kernel = kernel(retransmits: 3)
                $0.upstream?.kernel = kernel(probes: 1)
            }, timeouts: nil
        ).joined(separator: " ")
        #expect(story.contains("The client's machine does not acknowledge: the same bytes were retransmitted 3 times"))
        #expect(story.contains("The upstream's machine was probed 1 time, without an answer."))
    }

    @Test func timeoutsAhead_areReported() {
        let story = Story.of(
            live(), timeouts: Timeouts(idle: .seconds(61), lifetime: .seconds(3600))
        ).joined(separator: " ")
        #expect(story.contains("timeouts.idle (now 61s) ends it in 1.0 s, unless a byte moves."))
        #expect(story.contains("timeouts.lifetime (now 1h) ends it in 58 min 30 s."))
    }
}
