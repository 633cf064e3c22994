import Sockets
package import Text

/// Formats traffic as lines. Confined to the thread that prints.
package struct TrafficPrinter {
    private let view: TrafficView
    private let terminal: TerminalTraits
    private let times: TimeText
    /// The width of the lines about openings, bytes and ends; nil: no limit.
    private let columns: (@Sendable () -> Int)?
    /// Where the current line begins.
    private var lineStart = 0
    /// The offset that each flow of an open connection has reached.
    private var offsets: [Traffic.Flow: UInt64] = [:]

    /// A printer for an output of the given traits.
    package init(
        view: TrafficView, terminal: TerminalTraits, times: TimeText = .utc, columns: (@Sendable () -> Int)? = nil
    ) {
        self.view = view
        self.terminal = terminal
        self.times = times
        self.columns = columns
    }

    /// Appends the lines of a piece of traffic; whole lines only.
    package mutating func append(_ traffic: Traffic, to lines: inout [UInt8]) {
        switch traffic {
        case .opened(let opening, let time): append(opening, at: time, to: &lines)
        case .passed(let flow, let bytes, let time, let unseen):
            if unseen > 0 {
                appendGap(unseen, "not shown: the output was too slow", of: flow, at: time, to: &lines)
            }
            let offset = offsets[flow, default: 0] &+ unseen
            appendCount(bytes.count, of: flow, at: time, after: unseen, to: &lines)
            switch view {
            case .text: lines.append(printable: bytes, showsUnicode: terminal.showsUnicode)
            case .hex: lines.append(hexDump: bytes, from: offset)
            }
        case .described(let flow, let count, let described, let time):
            appendCount(count, of: flow, at: time, after: 0, to: &lines)
            guard !described.isEmpty else { return }
            lines.append(printable: Array(described.joined(separator: "\n").utf8), showsUnicode: terminal.showsUnicode)
        case .remark(let text): lines.append(text)
        case .missing(let flow, let count, let time):
            offsets[flow, default: 0] &+= count
            appendGap(count, "missing from the recording", of: flow, at: time, to: &lines)
        case .omitted(let omitted, let time):
            // `…, 123 bytes of 4 connections omitted: the output was too slow`
            times.append(time, to: &lines)
            lines.append(" ")
            lines.append(decimal: omitted.bytes)
            lines.append(omitted.bytes == 1 ? " byte of " : " bytes of ")
            lines.append(decimal: omitted.connections)
            lines.append(omitted.connections == 1 ? " connection" : " connections")
            lines.append(" omitted: the output was too slow\n")
        case .ended(let ending, let time):
            for (direction, unseen) in [(Direction.up, ending.unseenUp), (.down, ending.unseenDown)] {
                let flow = Traffic.Flow(connection: ending.connection, direction: direction)
                offsets[flow] = nil
                guard unseen > 0 else { continue }
                appendGap(unseen, "not shown: the output was too slow", of: flow, at: time, to: &lines)
            }
            if let outcome = ending.outcome { append(outcome, of: ending.connection, at: time, to: &lines) }
        }
    }

    // MARK: Openings and ends

    /// `2026-11-22T20:15:00.123Z #7 opened, 127.0.0.1:33608 → web → localhost:8000`
    private mutating func append(_ opening: Traffic.Opening, at time: Timestamp, to lines: inout [UInt8]) {
        begin(opening.connection, at: time, color: "1", to: &lines)
        lines.append(opening.isUnderway ? " was open before, " : " opened, ")
        let path = [opening.client, opening.relay, opening.upstream].compactMap(\.self)
        let arrow = terminal.showsUnicode ? " → " : " > "
        lines.append(path.map { $0.harmless(showsUnicode: terminal.showsUnicode) }.joined(separator: arrow))
        endHeader(in: &lines)
    }

    /// `2026-11-22T20:15:00.127Z #7 closed by upstream, up 78 B, down 190 B, 4.02 ms`; a failure has its reason, too.
    private mutating func append(
        _ outcome: Traffic.Outcome, of connection: UInt64, at time: Timestamp, to lines: inout [UInt8]
    ) {
        begin(connection, at: time, color: outcome.isFailure ? "31" : "1", to: &lines)
        var words = "still open at the end of the recording"
        if let reason = outcome.reason {
            let cause = reason + (outcome.errno.map { " (\($0))" } ?? "")
            switch outcome.closedBy {
            // In order: the reason repeats the side.
            case let side? where !outcome.isFailure: words = "closed by \(side)"
            // `client_reset` names it as well.
            case let side? where reason.hasPrefix("\(side)_"): words = "closed, \(cause)"
            case let side?: words = "closed by \(side), \(cause)"
            case nil: words = "closed, \(cause)"
            }
        }
        lines.append(" \(words.harmless(showsUnicode: terminal.showsUnicode))")
        lines.append(", up \(SizeText.short(outcome.bytesUp)), down \(SizeText.short(outcome.bytesDown))")
        lines.append(", \(DurationText.short(nanoseconds: outcome.duration))")
        endHeader(in: &lines)
    }

    // MARK: Headers

    /// The columns before the rest of a line that is broken.
    private static let indent = 2

    /// `…, 123 bytes`, after bytes that are not shown.
    private mutating func appendCount(
        _ count: Int, of flow: Traffic.Flow, at time: Timestamp, after unseen: UInt64, to lines: inout [UInt8]
    ) {
        offsets[flow] = offsets[flow, default: 0] &+ unseen &+ UInt64(count)
        appendHeader(flow, at: time, to: &lines)
        lines.append(decimal: count)
        lines.append(count == 1 ? " byte" : " bytes")
        endHeader(in: &lines)
    }

    /// `…, 123 bytes missing from the recording`
    private mutating func appendGap(
        _ count: UInt64, _ cause: String, of flow: Traffic.Flow, at time: Timestamp, to lines: inout [UInt8]
    ) {
        appendHeader(flow, at: time, to: &lines)
        lines.append(decimal: count)
        lines.append(count == 1 ? " byte " : " bytes ")
        lines.append(cause)
        endHeader(in: &lines)
    }

    /// `2026-11-22T20:15:00.123Z #7 client → upstream, `
    private mutating func appendHeader(_ flow: Traffic.Flow, at time: Timestamp, to lines: inout [UInt8]) {
        begin(flow.connection, at: time, color: flow.direction == .up ? "36" : "32", to: &lines)
        switch (flow.direction, terminal.showsUnicode) {
        case (.up, true): lines.append(" client → upstream, ")
        case (.up, false): lines.append(" client > upstream, ")
        case (.down, true): lines.append(" client ← upstream, ")
        case (.down, false): lines.append(" client < upstream, ")
        }
    }

    /// `2026-11-22T20:15:00.123Z #7`, in a colour of ECMA-48.
    private mutating func begin(_ connection: UInt64, at time: Timestamp, color: String, to lines: inout [UInt8]) {
        if terminal.showsColor { lines.append("\u{1B}[\(color)m") }
        lineStart = lines.count
        times.append(time, to: &lines)
        lines.append(" #")
        lines.append(decimal: connection)
    }

    private func endHeader(in lines: inout [UInt8]) {
        // A character has at least one byte, so a line of that many bytes fits.
        if let columns = columns?(), lines.count - lineStart > columns {
            let text = String(decoding: lines[lineStart...], as: UTF8.self)
            lines.removeSubrange(lineStart...)
            lines.append(text.wrapped(to: columns, indent: Self.indent).joined(separator: "\n"))
        }
        if terminal.showsColor { lines.append("\u{1B}[0m") }
        lines.append("\n")
    }
}
