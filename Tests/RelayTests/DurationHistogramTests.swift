import Sockets
import Testing

@testable import Relay

/// Durations by buckets.
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

    @Test(arguments: [DurationHistogram.Bounds.connect, .connection]) func bounds_rise(
        _ bounds: DurationHistogram.Bounds
    ) {
        for index in 1..<bounds.seconds.count { #expect(bounds.seconds[index - 1] < bounds.seconds[index]) }
    }

    @Test func failures_ofManyUpstreams_areCountedTogether() {
        var figures = RelayFigures()
        for number in 0..<RelayFigures.mostConnectFailures + 5 {
            var record = ConnectionRecord(
                id: 1, relay: "r", generation: number, client: .unix(path: ""), listener: .unix(path: "/l"),
                upstream: "u\(number)", accepted: 0)
            record.end = .init(time: 0, duration: 0, reason: .connectRefused, errno: nil)
            figures.count(record)
        }
        #expect(figures.connectFailures.count == RelayFigures.mostConnectFailures + 1)
        #expect(figures.connectFailures[.init(endpoint: RelayFigures.otherEndpoints, reason: .connectRefused)] == 5)
        #expect(figures.connectFailures.values.reduce(0, +) == UInt64(RelayFigures.mostConnectFailures + 5))
    }
}
