package import Recording
package import Terminal
package import Text

/// As `forward --print` shows traffic: openings, bytes and ends in their order.
package struct TrafficPrintView: RecordingView {
    private var printer: TrafficPrinter

    package init(_ view: TrafficView, _ terminal: TerminalTraits, times: TimeText) {
        printer = TrafficPrinter(view: view, terminal: terminal, times: times)
    }

    package mutating func append(_ event: RecordingEvent, into output: inout [UInt8]) {
        switch event {
        case .opened(let conversation):
            let opening = Traffic.Opening(
                connection: conversation.id, client: conversation.client, relay: conversation.relay,
                upstream: conversation.destination, isUnderway: !conversation.hasStart)
            printer.append(.opened(opening, time: conversation.started), to: &output)
        case .bytes(let piece):
            let flow = Traffic.Flow(connection: piece.id, direction: piece.direction)
            printer.append(
                .passed(flow, bytes: Array(piece.bytes), time: piece.time, unseen: 0), to: &output)
        case .missing(let gap):
            let flow = Traffic.Flow(connection: gap.id, direction: gap.direction)
            printer.append(.missing(flow, count: gap.count, time: gap.time), to: &output)
        case .ended(let conversation):
            let outcome = Traffic.Outcome(
                reason: conversation.reason, closedBy: conversation.endedBy, errno: conversation.errno,
                bytesUp: conversation.up.passed, bytesDown: conversation.down.passed,
                duration: conversation.duration)
            printer.append(
                .ended(Traffic.Ending(connection: conversation.id, outcome: outcome), time: conversation.ended),
                to: &output)
        }
    }
}
