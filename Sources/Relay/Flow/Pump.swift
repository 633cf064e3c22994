/// How a flow moves bytes.
enum Pump: UInt8, CaseIterable {
    /// `recv` into the worker's buffer and `send`.
    case copy
    /// The same, but only as much as a recording that must be whole has room for.
    case copyWhole
    /// From socket to pipe to socket inside the kernel.
    case splice
    /// Only from the pipe to the destination: splicing has to end, and bytes are still in the pipe.
    case emptyPipe

    /// Everything that the choice depends on.
    struct Conditions {
        /// The flow has a pipe: it has shown that it streams.
        var hasPipe = false
        /// Both legs can splice.
        var legsCanSplice = true
        /// Taps need the flow's next bytes.
        var tapsNeedBytes = false
        /// A recording that must be whole needs them.
        var mustBeWhole = false

        /// Whether a flow that streams should get a pipe.
        var maySplice: Bool { legsCanSplice && !tapsNeedBytes }
    }

    /// The pump for the conditions: the only place where it is chosen.
    init(_ conditions: Conditions) {
        if conditions.hasPipe {
            self = conditions.maySplice ? .splice : .emptyPipe
        } else {
            self = conditions.mustBeWhole ? .copyWhole : .copy
        }
    }
}

/// What a flow waits for before it reads on.
struct FlowWaits: OptionSet {
    let rawValue: UInt8

    /// The destination has to take what the flow holds. Set when the source has more, and not as soon as the flow holds
    /// bytes: often the destination takes them before the source is readable again, and no watch has to change.
    static let destination = FlowWaits(rawValue: 1 << 0)
    /// A recording that must be whole has no room. No event of a leg ends this wait.
    static let tap = FlowWaits(rawValue: 1 << 1)
}
