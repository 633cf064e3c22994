extension UInt64 {
    /// A number rounded down and clamped; 0 for negative numbers and NaN.
    ///
    /// For rates, whose divisor may be as short as the clock's resolution.
    public init(saturating number: Double) {
        self = number > 0 ? UInt64(exactly: number.rounded(.down)) ?? .max : 0
    }
}

extension Int64 {
    /// A clamped product, for untrusted numbers.
    public init(saturating count: UInt64, times unit: UInt64) {
        let (product, overflow) = count.multipliedReportingOverflow(by: unit)
        self = overflow ? .max : Int64(clamping: product)
    }
}
