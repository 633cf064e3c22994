extension UInt64 {
    /// A number rounded down, kept within what fits: 0 for one below zero and for what is not a number.
    ///
    /// Rates are quotients, and the time that they are divided by may be as short as the clock's smallest step.
    public init(saturating number: Double) {
        self = number > 0 ? UInt64(exactly: number.rounded(.down)) ?? .max : 0
    }
}

extension Int64 {
    /// A product, kept within what fits; of numbers from outside.
    public init(saturating count: UInt64, times unit: UInt64) {
        let (product, overflow) = count.multipliedReportingOverflow(by: unit)
        self = overflow ? .max : Int64(clamping: product)
    }
}
