/// How much memory putting streams together may take. Past a limit the bytes that are missing are given up, said so,
/// and reading goes on.
struct ReassemblyLimits {
    /// Bytes that one flow holds while it waits for earlier ones. More than most systems' receive windows.
    var heldInFlow = 4 << 20
    /// Bytes that all flows hold.
    var heldInAll = 32 << 20
    /// Conversations whose end has not been seen; past it the one that was idle longest is given up.
    var open = 32_768
    /// Conversations that ended, whose late segments are known for what they are.
    var closed = 4096
    /// First bytes of each flow that are kept to recognise its protocol; a ClientHello takes two kilobytes.
    var prefix = 4096
    /// Of all conversations together; past it a flow keeps `shortPrefix`.
    var prefixInAll = 32 << 20
    /// Enough for the first line.
    var shortPrefix = 128
    /// Bytes that the receiver has acknowledged, and that the capture does not have, are given up after this many
    /// nanoseconds: captures are hardly ever out of order by more.
    var acknowledgedPatience: Int64 = 1_000_000_000
    /// Bytes that the receiver has not acknowledged are given up this many nanoseconds after the flow's last progress.
    var patience: Int64 = 30_000_000_000
    /// A conversation that was reset ends after this many nanoseconds: data on its way is captured behind the reset.
    var resetPatience: Int64 = 10_000_000_000

    init() {}
}
