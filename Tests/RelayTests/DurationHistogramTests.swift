import Sockets
import Testing

@testable import Relay

/// Durations in buckets.
struct DurationHistogramTests {
    @Test func bound_belongsToTheBucketBelow() {
        var histogram = DurationHistogram(.connect)
        histogram.add(nanoseconds: 500_000)
        histogram.add(nanoseconds: 500_001)
        histogram.add(nanoseconds: 5_000_000_001)
        #expect(histogram.counts[0] == 1 && histogram.counts[1] == 1 && histogram.counts[12] == 1)
        #expect(histogram.count == 3)
        #expect(histogram.sum == 5_001_000_002)
    }

    @Test func sums_areOfBoth() {
        var (one, other) = (DurationHistogram(.connection), DurationHistogram(.connection))
        one.add(nanoseconds: 1)
        other.add(nanoseconds: 1)
        #expect(one == other)
        one.add(other)
        #expect(one != other && one.counts[0] == 2 && one.sum == 2)
    }

    /// 2⁶⁴ nanoseconds are the lifetimes of 10,000 connections in 21 days.
    @Test func sum_isExact_beyondTwoToThe64Nanoseconds() {
        var histogram = DurationHistogram(.connection)
        for _ in 0..<3 { histogram.add(nanoseconds: .max) }
        #expect(histogram.sum == 3 * UInt128(Int64.max) && histogram.count == 3)
        histogram.add(histogram)
        #expect(histogram.sum == 6 * UInt128(Int64.max) && histogram.counts[12] == 6)
        histogram.add(nanoseconds: -1)
        #expect(histogram.sum == 6 * UInt128(Int64.max) && histogram.counts[0] == 1)
    }

    @Test func counters_wrapAround() {
        var record = ConnectionRecord(
            id: 1, relay: "r", generation: 1, client: .unix(path: ""), listener: .unix(path: "/l"), upstream: "u",
            accepted: 0)
        (record.bytesUp, record.bytesDown, record.splicedUp, record.splicedDown) = (.max, .max, .max, .max)
        record.end = .init(time: 0, duration: .max, reason: .connectRefused, errno: nil)
        var stats = RelayStats()
        (stats.accepted, stats.acceptPauses, stats.ended) = (.max, .max, [.connectRefused: .max])
        for _ in 0..<2 { stats.count(record, startedAt: 0, now: 0) }
        let sums = [stats.bytesUp, stats.bytesDown, stats.splicedUp, stats.splicedDown]
        #expect(sums.allSatisfy { $0 == .max - 1 })
        #expect(stats.ended == [.connectRefused: 1])
        stats.add(stats)
        #expect(stats.accepted == .max - 1 && stats.acceptPauses == .max - 1 && stats.bytesUp == .max - 3)
        #expect(stats.ended == [.connectRefused: 2] && stats.connectFailures.values.reduce(0, +) == 4)
    }

    @Test func open_isNeverLessThanNothing() {
        var stats = RelayStats()
        stats.accepted = 1
        stats.ended = [.clientClosed: .max, .upstreamClosed: 3]
        #expect(stats.open == 0)
        stats.ended = [.clientClosed: 3]
        #expect(stats.open == 0)
    }

    @Test(arguments: [DurationHistogram.Bounds.connect, .connection]) func bounds_rise(
        _ bounds: DurationHistogram.Bounds
    ) {
        for index in 1..<bounds.seconds.count { #expect(bounds.seconds[index - 1] < bounds.seconds[index]) }
    }

    @Test func failures_ofManyUpstreams_areCountedTogether() {
        var stats = RelayStats()
        for number in 0..<RelayStats.mostConnectFailures + 5 {
            var record = ConnectionRecord(
                id: 1, relay: "r", generation: number, client: .unix(path: ""), listener: .unix(path: "/l"),
                upstream: "u\(number)", accepted: 0)
            record.end = .init(time: 0, duration: 0, reason: .connectRefused, errno: nil)
            stats.count(record, startedAt: 0, now: 0)
        }
        #expect(stats.connectFailures.count == RelayStats.mostConnectFailures + 1)
        #expect(stats.connectFailures[.init(endpoint: RelayStats.otherEndpoints, reason: .connectRefused)] == 5)
        #expect(stats.connectFailures.values.reduce(0, +) == UInt64(RelayStats.mostConnectFailures + 5))
    }
}
