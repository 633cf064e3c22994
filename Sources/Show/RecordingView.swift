package import Recording

/// One way to show a recording. Confined to the thread that shows it.
package protocol RecordingView {
    /// The next events are those of this file, or of these files of one relay.
    mutating func begin(_ name: String)
    /// Appends the text of an event.
    mutating func append(_ event: RecordingEvent, into output: inout [UInt8])
    /// The input may pause: appends what is pending.
    mutating func flush(into output: inout [UInt8])
    /// The input has ended: appends what is pending.
    mutating func finish(into output: inout [UInt8])
    /// A remark on the last event, for standard error.
    var note: String? { get }
    /// A remark on everything, after `finish`, for standard error.
    var closingRemark: String? { get }
}

extension RecordingView {
    package mutating func begin(_ name: String) {}
    package mutating func flush(into output: inout [UInt8]) {}
    package mutating func finish(into output: inout [UInt8]) {}
    package var note: String? { nil }
    package var closingRemark: String? { nil }
}
