import Sockets
import Testing

@testable import Relay

/// When a relay's connects count as failing.
struct RecentConnectsTests {
    /// `f`: a failure, `s`: a success, one a second from this moment on.
    private func window(_ results: String, from start: UInt64 = 1_000_000) -> RecentConnects {
        var window = RecentConnects()
        for (index, result) in results.enumerated() {
            window.add(result == "f" ? .connectRefused : nil, at: start + UInt64(index) * 1000)
        }
        return window
    }

    @Test(
        arguments: [
            ("", 0, 0, false), ("s", 1, 0, false), ("f", 1, 1, true), ("sf", 2, 1, false), ("ff", 2, 2, true),
            ("ssssssfff", 9, 3, true), ("sssssff", 7, 2, false), ("ffffffs", 7, 6, false), ("ffffsf", 6, 5, true),
            ("sfsfsf", 6, 3, false), ("fffsss", 6, 3, false),
        ] as [(String, UInt64, UInt64, Bool)])
    func failing_isDecidedByTheLastResults(results: String, attempts: UInt64, failed: UInt64, isFailing: Bool) {
        let summary = window(results).summary(at: 1_010_000)
        #expect(summary.attempts == attempts && summary.failed == failed && summary.isFailing == isFailing)
        #expect(summary.reason == (failed > 0 ? .connectRefused : nil))
    }

    @Test func results_leaveTheWindowAfterFiveMinutes() {
        let window = window("ffff")
        #expect(window.summary(at: 1_003_000 + RecentConnects.span - RecentConnects.step).failed == 4)
        let later = window.summary(at: 1_003_000 + RecentConnects.span)
        #expect(later == RecentConnects.Summary())
        #expect(window.summary(at: .max) == RecentConnects.Summary())
        // A clock that goes back does not trap.
        #expect(window.summary(at: 0).failed == 4)
    }

    @Test func window_isBounded_andItsBucketsAreUsedAgain() {
        var window = RecentConnects()
        for second in 0..<3600 as Range<UInt64> {
            window.add(second % 2 == 0 ? nil : .connectTimeout, at: second * 1000)
        }
        let summary = window.summary(at: 3_599_000)
        #expect(summary.attempts == 300 && summary.failed == 150 && summary.reason == .connectTimeout)
    }

    @Test func workersWindows_addUp_inAnyOrder() {
        var first = window("fff")
        var second = window("s", from: 1_010_000)
        let copy = first
        first.add(second)
        second.add(copy)
        #expect(first == second)
        #expect(first.summary(at: 1_020_000).attempts == 4 && !first.summary(at: 1_020_000).isFailing)
        var third = window("sss")
        third.add(window("fff", from: 1_010_000))
        #expect(third.summary(at: 1_020_000).isFailing)
    }

    @Test func counts_saturate() {
        var window = window("f")
        for _ in 0..<70 {
            let copy = window
            window.add(copy)
        }
        #expect(window.summary(at: 1_000_000).failed == .max)
    }

    @Test func connects_areCountedWithTheirTime_whetherOpenOrEnded() {
        var stats = RelayStats()
        var record = ConnectionRecord(
            id: 1, relay: "r", generation: 1, client: .unix(path: ""), listener: .unix(path: "/l"), upstream: "u",
            accepted: 0)
        record.end = .init(time: 0, duration: 0, reason: .connectRefused, errno: nil)
        stats.count(record, startedAt: 1_000_000, now: 1_000_000)
        #expect(stats.recentConnects.summary(at: 1_000_000).isFailing)
        // A connection that was connected earlier and ends only now is not a later success.
        record.connectDuration = 1_000_000
        record.end?.reason = .clientClosed
        stats.count(record, startedAt: 999_000, now: 1_001_000)
        #expect(stats.recentConnects.summary(at: 1_001_000).attempts == 2)
        stats.count(
            bytesUp: 0, bytesDown: 0, splicedUp: 0, splicedDown: 0, connectDuration: 1_000_000, startedAt: 1_002_000,
            now: 1_003_000)
        #expect(!stats.recentConnects.summary(at: 1_003_000).isFailing)
    }

    private static let handshakes: [(EndReason, Side?)] = [
        (.tlsCertificateRefused, .upstream), (.tlsHandshakeFailed, .upstream), (.tlsHandshakeTimeout, nil),
        (.tlsCertificateRefused, .client),
    ]

    @Test(arguments: handshakes)
    func connects_withoutTLSWithTheUpstream_areFailures(_ reason: EndReason, _ side: Side?) {
        var stats = RelayStats()
        var record = ConnectionRecord(
            id: 1, relay: "r", generation: 1, client: .unix(path: ""), listener: .unix(path: "/l"), upstream: "u",
            accepted: 0)
        if side != .client {
            record.upstreamAddress = .ipv4(.loopback, port: 443)
            record.connectDuration = 1_000_000
        }
        record.sessions = SessionFacts(fault: side.map { .init(side: $0, text: "failed") })
        record.end = .init(time: 0, duration: 0, reason: reason, errno: nil)
        for _ in 0..<3 { stats.count(record, startedAt: 1_000_000, now: 1_000_010) }
        let summary = stats.recentConnects.summary(at: 1_000_010)
        // A client whose handshake fails says nothing about the upstream.
        #expect(summary.failed == (side == .client ? 0 : 3) && summary.attempts == summary.failed)
        #expect(summary.isFailing == (side != .client))
        #expect(summary.reason == (side == .client ? nil : reason))
    }

    @Test func connect_whoseHandshakeIsInProgress_isNoSuccessYet() {
        var stats = RelayStats()
        for isUsable in [false, true] {
            stats.count(
                bytesUp: 0, bytesDown: 0, splicedUp: 0, splicedDown: 0, connectDuration: 1_000_000,
                isUsable: isUsable, startedAt: 1_000_000, now: 1_000_010)
            #expect(stats.recentConnects.summary(at: 1_000_010).attempts == (isUsable ? 1 : 0))
        }
    }
}
