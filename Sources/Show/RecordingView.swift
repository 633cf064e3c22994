package import Recording

/// One way to show a recording. Confined to the thread that shows it.
package protocol RecordingView {
    /// Appends what an event looks like.
    mutating func take(_ event: RecordingEvent, into output: inout [UInt8])
    /// Nothing may come for a while: appends what waits.
    mutating func settle(into output: inout [UInt8])
    /// Nothing comes any more: appends what waits.
    mutating func finish(into output: inout [UInt8])
    /// A remark on the last event, for standard error.
    var note: String? { get }
}

extension RecordingView {
    package mutating func settle(into output: inout [UInt8]) {}
    package mutating func finish(into output: inout [UInt8]) {}
    package var note: String? { nil }
}
