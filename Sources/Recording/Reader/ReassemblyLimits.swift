/// Limits of the memory for reassembling streams. Past a limit, missing bytes become a gap, and reading continues.
struct ReassemblyLimits {
    /// Bytes of early segments held by one flow. More than most systems' receive windows.
    var heldInFlow = 4 << 20
    /// Bytes of early segments held by all flows.
    var heldInAll = 32 << 20
    /// Open conversations; past the limit the longest idle one is ended.
    var open = 32_768
    /// Ended conversations that are remembered, to recognise their late segments.
    var closed = 4096
    /// First bytes kept of each flow to recognise its protocol; a ClientHello takes two kilobytes.
    var prefix = 4096
    /// First bytes kept of all flows; past the limit a flow keeps `shortPrefix`.
    var prefixInAll = 32 << 20
    /// Enough for the first line.
    var shortPrefix = 128
    /// Nanoseconds after which acknowledged bytes that were not captured count as missing: captures are rarely out of
    /// order by more.
    var acknowledgedPatience: Int64 = 1_000_000_000
    /// Nanoseconds after the flow's last progress until unacknowledged bytes count as missing.
    var patience: Int64 = 30_000_000_000
    /// Nanoseconds after a reset until the conversation ends: data in flight is captured after the reset.
    var resetPatience: Int64 = 10_000_000_000

    init() {}
}
