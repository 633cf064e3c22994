package import Recording
package import Terminal

/// As `forward --print` shows traffic.
package struct TrafficPrintView: RecordingView {
    private var printer: TrafficPrinter

    package init(_ view: TrafficView, _ terminal: TerminalTraits) {
        printer = TrafficPrinter(view: view, terminal: terminal)
    }

    package mutating func append(_ event: RecordingEvent, into output: inout [UInt8]) {
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
