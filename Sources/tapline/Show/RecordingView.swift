import Recording
internal import Sockets
import Text

/// One way to show a recording. Confined to the thread that shows it.
protocol RecordingView {
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
    mutating func settle(into output: inout [UInt8]) {}
    mutating func finish(into output: inout [UInt8]) {}
    var note: String? { nil }
}

/// As `forward --print` shows traffic.
struct TrafficPrintView: RecordingView {
    private var printer: TrafficPrinter

    init(_ view: TrafficView, _ terminal: TerminalTraits) {
        printer = TrafficPrinter(view: view, terminal: terminal)
    }

    mutating func take(_ event: RecordingEvent, into output: inout [UInt8]) {
        switch event {
        case .opened: break
        case .bytes(let piece):
            let flow = Traffic.Flow(connection: piece.id, direction: piece.direction)
            printer.append(
                .passed(flow, bytes: Array(piece.bytes), time: piece.time, unseen: 0), to: &output)
        case .missing(let gap):
            let flow = Traffic.Flow(connection: gap.id, direction: gap.direction)
            printer.append(.missing(flow, count: gap.count, time: gap.time), to: &output)
        case .ended(let conversation):
            printer.append(
                .ended(connection: conversation.id, unseenUp: 0, unseenDown: 0, time: conversation.ended),
                to: &output)
        }
    }
}

/// The bytes and nothing else, in the order in which they passed.
struct RawView: RecordingView {
    private(set) var note: String?

    mutating func take(_ event: RecordingEvent, into output: inout [UInt8]) {
        note = nil
        switch event {
        case .opened, .ended: break
        case .bytes(let piece): output += piece.bytes
        case .missing(let gap):
            let bytes = gap.count == 1 ? "byte is" : "bytes are"
            note = "connection \(gap.id), \(gap.direction.rawValue): \(gap.count) \(bytes) missing here"
        }
    }
}

/// One object a line: `id`, `flow`, `time` and `data` in Base64. Where bytes are missing `data` is empty and `missing` says
/// how many.
struct JSONView: RecordingView {
    mutating func take(_ event: RecordingEvent, into output: inout [UInt8]) {
        switch event {
        case .opened, .ended: break
        case .bytes(let piece):
            append(piece.id, piece.direction, piece.time, piece.bytes, missing: nil, in: &output)
        case .missing(let gap):
            append(gap.id, gap.direction, gap.time, [], missing: gap.count, in: &output)
        }
    }

    private func append(
        _ id: UInt64, _ direction: Direction, _ time: Timestamp, _ data: ArraySlice<UInt8>, missing: UInt64?,
        in output: inout [UInt8]
    ) {
        var line = FieldLine(.json, in: &output)
        line.add("id", number: id, to: &output)
        line.add("flow", direction.rawValue, to: &output)
        line.add("time", time, to: &output)
        line.add("data", base64: data, to: &output)
        if let missing { line.add("missing", number: missing, to: &output) }
        line.end(in: &output)
    }
}
