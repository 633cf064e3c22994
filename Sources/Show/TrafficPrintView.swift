package import Recording
import Sockets
package import Terminal
package import Text

/// As `forward --print` shows traffic: openings, bytes and ends in their order. As text, messages of PostgreSQL are
/// lines with their names.
package struct TrafficPrintView: RecordingView {
    private let view: TrafficView
    private var printer: TrafficPrinter
    /// The open conversations that may be PostgreSQL's.
    private var describers: [UInt64: PostgreSQLConversation] = [:]

    /// A view for an output of these traits; `columns`: its width, if lines are broken to it.
    package init(
        _ view: TrafficView, _ terminal: TerminalTraits, times: TimeText, columns: (@Sendable () -> Int)? = nil
    ) {
        self.view = view
        printer = TrafficPrinter(view: view, terminal: terminal, times: times, columns: columns)
    }

    package mutating func append(_ event: RecordingEvent, into output: inout [UInt8]) {
        switch event {
        case .opened(let conversation):
            let opening = Traffic.Opening(
                connection: conversation.id, client: conversation.client, relay: conversation.relay,
                upstream: conversation.destination, isUnderway: !conversation.hasStart)
            printer.append(.opened(opening, time: conversation.started), to: &output)
            if view == .text, conversation.hasStart { describers[conversation.id] = PostgreSQLConversation() }
        case .bytes(let piece):
            let flow = Traffic.Flow(connection: piece.id, direction: piece.direction)
            if let lines = describe(piece.id, piece.direction, piece.bytes) {
                printer.append(
                    .described(flow, count: piece.bytes.count, lines: lines, time: piece.time), to: &output)
            } else {
                printer.append(.passed(flow, bytes: Array(piece.bytes), time: piece.time, unseen: 0), to: &output)
            }
        case .missing(let gap):
            let flow = Traffic.Flow(connection: gap.id, direction: gap.direction)
            // Without its bytes, the rest of a flow has no messages.
            describers[gap.id] = nil
            printer.append(.missing(flow, count: gap.count, time: gap.time), to: &output)
        case .ended(let conversation):
            describers[conversation.id] = nil
            let outcome = Traffic.Outcome(
                reason: conversation.reason, closedBy: conversation.endedBy, errno: conversation.errno,
                bytesUp: conversation.up.passed, bytesDown: conversation.down.passed,
                duration: conversation.duration)
            printer.append(
                .ended(Traffic.Ending(connection: conversation.id, outcome: outcome), time: conversation.ended),
                to: &output)
        }
    }

    /// The messages in bytes of a flow; nil where they are shown as they are.
    private mutating func describe(_ id: UInt64, _ direction: Direction, _ bytes: ArraySlice<UInt8>) -> [String]? {
        // Nearly all conversations are of other protocols, and known to be so after their first bytes.
        guard !describers.isEmpty, let lines = describers[id]?.describe(direction, bytes) else {
            describers[id] = nil
            return nil
        }
        return lines
    }
}
