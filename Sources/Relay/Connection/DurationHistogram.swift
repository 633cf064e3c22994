/// A histogram of durations with fixed buckets: counting costs a short search and no memory.
///
/// A value; copies are independent.
public struct DurationHistogram: Hashable, Sendable {
    /// The buckets' upper bounds in seconds, ascending; above the last there is one more bucket without a bound.
    public enum Bounds: Hashable, Sendable {
        /// For connects: loopback takes a tenth of a millisecond, the default timeout is 5 s, a lost SYN costs 1 s.
        case connect
        /// For whole connections: from a health check's millisecond to days.
        case connection

        /// The bounds in seconds.
        public var seconds: InlineArray<12, Double> {
            switch self {
            case .connect: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5]
            case .connection: [0.001, 0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200, 86400]
            }
        }
    }

    /// The bounds in use.
    public let bounds: Bounds
    /// The count of each bucket, not cumulative; the last is the one without a bound.
    public private(set) var counts = InlineArray<13, UInt64>(repeating: 0)
    /// The sum of all durations, nanoseconds. With 10,000 connections always open, 2⁶⁴ is reached in 21 days.
    public private(set) var sum: UInt128 = 0

    /// Empty.
    public init(_ bounds: Bounds) {
        self.bounds = bounds
    }

    /// The number of durations.
    public var count: UInt64 {
        var count: UInt64 = 0
        for index in counts.indices { count &+= counts[index] }
        return count
    }

    /// Adds one; a bound belongs to the bucket below it (Prometheus' `le`).
    public mutating func add(nanoseconds: Int64) {
        let seconds = Double(nanoseconds) / 1e9
        let limits = bounds.seconds
        var bucket = 0
        while bucket < limits.count && seconds > limits[bucket] { bucket += 1 }
        counts[bucket] &+= 1
        sum &+= UInt128(max(0, nanoseconds))
    }

    /// Adds another histogram, which must have the same bounds.
    public mutating func add(_ other: DurationHistogram) {
        precondition(bounds == other.bounds, "DurationHistogram: other bounds")
        for index in counts.indices { counts[index] &+= other.counts[index] }
        sum &+= other.sum
    }

    /// The same counts and the same sum.
    public static func == (left: DurationHistogram, right: DurationHistogram) -> Bool {
        guard left.bounds == right.bounds, left.sum == right.sum else { return false }
        return left.counts.indices.allSatisfy { left.counts[$0] == right.counts[$0] }
    }

    /// By counts and sum.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(bounds)
        hasher.combine(sum)
        for index in counts.indices { hasher.combine(counts[index]) }
    }
}
